"""Packs by URL and by result as earlier versions wrote them, in blocks of eight rows: they are to stay readable."""

from __future__ import annotations

from base64 import b85decode

from db.url_packing import UrlPacks

_BY_URL = (
    (
        '0R$j;V}uqt_LLp~00000004~u004mi001fg007$n001bpFa03ZB?JIM2N)WFw>oGABLxZDFbQm9i6j!+6WFNj>CC~bjES{Ok;X7m'
        'kq+P>4BtN2(J_enCXV_zxD6;PW3RbH>Bz6Q#pjU%9cyexXzX^NFM0kn;_6Kh8}9R|kE^qOQQuZD@Rtn$xIjyVYn6+b!dyA?L7I)g'
        'nXvU!Wq?9oT@E%;6tfH{wJ-f(NCCYA078Th6`<Dvz$6b`Mv1D>*e|zfEh(uQ8)B)Nv9Gj9k11p|CEBAV%L+<XQ#E5>iSPOm*o8Yj'
        'I&h;s;_&`n0|FTUfC(55Fa`zz<XM7boE9m-PGw~Q*nxq8D*!ui8NdYG0~iBW0CwOqfC;z<FcvAY@i2-ED77#BAV3WP0Eh$t00063'
        '0|WvA000020000603Zce*lBLXFp$NW(*h{9Fa2Ph0gVO#B1ae-aB17F_x4R~>r;Tre+kY1Pv~O8Ivt+l>c50a{V|SnC+i_p6Sd}D'
        '@toUP?0lS^*5}1{QKf*9lwK0Yko1AF1b~Bc$ZG@Rj*9-oPB22@i#sa9M8#OsFf*ZIH;>ufFd%RuF_t{BIB<YEn0UzCe3*a^r4_^v'
        'OreXL-9MqnSX_cN4JWBG+_*DOEZHDn0X61e(ZdBc0mvKS8o>g%224w+6v0=7iV#STq4}tNjByEd_TwR9Uz7x=8)&duXgG~H2Acdk'
        '8W2OP!T'
    ),
    (
        'Ab4Yh7CH8mD77#BAV?ho0F(pJzh=t-7k8Cbzv*5UP5D~_Z*On{Z*X!30RjR5000640|Nm90s;a61qB5F($dnH4-XGIIyyQ!0}uc~'
        '1XeZ%'
    ),
    (
        'Ab4Yh7CH8mD77#BAV?Jg0CWSH^XNJ8$+!j-P{3G@NZD?1Z~}30Zvt-y0RRF50s#R5009610{{X800jV;(wI6AIyw(JIu8Q?Kt|mS'
        'WdIK'
    ),
    (
        'Ab4Yh7CH8mD77#BAV@(10ANGbT&g%>UPTZGqQrr6P;dipaB%`}Zw3Yi1_lNO1_A;C0s;U600II70ssL60{{R8000FA1(=x9n3&Si'
        '(mFa1Iyw&z4*'
    ),
    (
        'Ab4Yh7CH8mD77#BAV@(10EWC@$t2DI0MkYJbSIVo0B~|~0&#Kx00ssI1_lNI009610RRC2009C5009F400jU500jjA0MeM4n9|Y!'
        '01rAkIu8#300'
    ),
    'Ab4Yh7CH8mD77#BASfjP0N?=z2?YQM1qTEH0|)>G2LS2m=>P)*0{{R300062AP@vt0s',
    'Ab4Yh7CH8mD77#BASf*X0O$$}1P%`e1qJ{F1_uTM1q1*90005$0{{R6000950J;=m6(#',
    'Ab4Yh7CH8mD77#BASgir00;#J01yKP0S5vB2m}WR0{{R4000320RRB$008Of=>Px&000960{',
    'Ab4Yh7CH8mD77#BASgir01OBK0u2EG00jgB1ONsA00961009610O<e#0O{!f00RI300RR600',
)  # fmt: skip

_BY_RESULT = (
    (
        '0t7S9I}1F@m>V7d00000004{t004CW000~S006%L001bpFa03W9RvUp#}^uaw>oGABLxZDFbQm9i6j!+6WFNj>CC~bjES{Ok;X7m'
        'kq+P>4BtN2(J_enCXV_zxD6;PW3RbH>G)zlj}+)wV>3cyw*!62^QRG4Z-UrxpHF>Uo%M_Qwt|7b1PuVVKud*dm2;TFTsh}KI*q`S'
        'u=PtBK$ZFGa<GY_m}MxnFa2QK09^wB0t62hu(ttlGv-Y+9gUTUjkdRqB*n(WQUaKGZ7Zb56itLji8MH<kR>tk+E#ep_>JSE+a??|'
        '!u+oA{%1fG0DuV?&QX$aT2jP;Jir(j1l$7{16Kfc;4**-xCbx>t^n-7Wk_L-hf!oGwJ-f3Fr5GZNC5x<00aO400IL5fP$G(|2iTl'
        'wJ-f(69KIS0OH0M8*pjcuJ`s$ZL8k^6#Ej^(?6)ghjpO#<LbYJyMK)1$_aZ2r4$LZ=KZ;{!}@w$oyOP2aWipO;ETJluJDq$Mve+K'
        'j~OUT05~{@JT@>+A>1Fkn}#VZOvs5Q6f!d;AaJ57%nmd-Yydh?Jj$$@6EO#I4de-Es7fS4xK5+6GhT8i!_5KQq29Q0WCsGV0Gt@?'
        'A27`vWG1{DYz!D&w}#?Q5jzCyW?<0e8k;d$^f3'
    ),
    (
        'GtWB<Jj$3GD77#BAV@(10LeJ$)&^m}$#j9h2X1n|NCE-^Z*OmJZw3Yi1_lNO1_1y90s#U70RRC20|NsC000F51qB5K0GQI4($dn>'
        'm^u$S4-XFyIs'
    ),
    (
        'GtWB<Jj$3GD77#BAV@(10F`E$^M)ijs$1z4P}3(^#By(NaBy*PaRvqk1_lNO1_A;B009630ssL30RaI3000F51qB5F0GQI4($dnH'
        'm^u$S4-XGIIs'
    ),
    'GtWB<Jj$3GD77#BASgir01F5N2L=fM1p@{J0RsmC0ssL30RRC2008L#>FMd|000930|NsC00',
    'GtWB<Jj$3GD77#BASgir009630}2cT2LJ*90|WpD0{{R300992008L#>FMbJ000930|Ns900',
)  # fmt: skip

_TOLD_TOGETHER_BY_URL = (
    (
        '0|Z%zm%I776`dXc00000006=O004mi001fg007$n001bpFa2O@0L29W!blt)aJ6j%z|z{i+9>^ON27?4tp7jS=d|B7O{)Jx2+i*19V(_'
        '`>h0>~A#w~Y0qeJm#GzpnM3I6-dMW<xH4!<^&2=C#;q*xog_5!~)~YdLzw5G6AJ&os>cobll;0B-SX=yi(FQ->=ge_N00Mm`9sn~7)Fj'
        '|4f`A0b2QmX<U6lajKxQBd$Okg7q<v{9C`>p*OWA9ci&$X?%b5={*chA%TfdYsR3Vy|gH2-AL9XcpD77#BU`PSI0{}vV4;7%-0l*{=Tt'
        '<ni(AY1xX)P(K8XID%nz666NRKIGH6_}kCd&#+R#P=&Uy1Mf5!i)0K00utJ>u~GUIPLd0DuV?4lo7=0pwYNWSkZ$z)odl0oZ|ofhzzza'
        '2db^+yfW`R{(b4GJpxV2QU^XvhgsA3@EiP{UAUM0RV^u000020RsdA0RR910ssI21^^%hSlDT9#W0Y?nbQI&wJ-f(odJyo03t^i8*pjc'
        'uJ`s$ZR=Bj%6|#X|4-;*!a5zE<LbYJO8qg8b0_N|R1>x4UGbdTS?qkAoz~~YcTuH)k(6E%$B^`avIKyGbI5B0<Bp2{#7;0m;fp&e!bHV'
        'b(=aokVmFW3-7p|<A~BXcu{dymI+%FK+<cgT4y6^u4@{wpo83R5$5>o~H4P`JGTgW`Pb}FWU;#DeV9~<`HUY>R;TpjLxCTs1s1(6hgo+'
        'SIkD>XfeT;Dlb@t;SVqcU5ryFRnS!g(oI0l;hI~ou}tHJ'
    ),
    'S%;Uq`MDLH&{hHlzrSw=X6bJR%U*B>02TrU7fo*lclmGzm0NNK0RjR5000640|Nm90s;a61qB5F00000(ht%P(hrzAm^zp`m^zp`',
    'S%;Uq`MDLHnG|pa^H6XG=)eL7IaqN9@s4o@$w+SoxY+^*25xT#0RRF50s#R5009610{{X800jU51pojAm^#uAm^zp`(hrzAm^#uA',
    'S%;Uq`MDLHU`22SLl6T7)(39}T%vFWs>E>yIDrBNVRCN<UQlla0s;a80ssO40s;d9009F7000F500jjFm^zp`(hrzAm^#uA(ht%P',
    'S%;Uq`MDLHhSP8cyhU;bU-@wc$#en+BqwnO&X#fp00000000000RR92009610RjR50RsR41poj51qA>A(hrzAm^zp`(ht%P00000',
    'S%;Uq`MDLH0R{;L00;#K1OWpG00jpC0000000000=>zEl=>q@&0000000000',
    'S%;Uq`MDLH3JU}d4+jMX00agH1_K2I000000RR91008L&00000=>q@&008L&',
    'S%;Uq`MDLH2n7ZJ5CaAQ2Lb^I1P2HM000310099300000=>q@&008L&=>zEl',
    'S%;Uq`MDLH3<v-M4FLcE1q1>F00sa60RR910RR91=>q@&00000=>zEl00000',
)  # fmt: skip

_TOLD_TOGETHER_BY_RESULT = (
    (
        '1O$6^snfx+A~GHT00000005Ez004CW000~S006%L001bpFa03kO#}df#~2!LX?3vBPzo+e&<=jX!mj^c=~!!v`mFlDgo|oF^^NTv;Bzf'
        'gq%n+CqysnyL*3^(I_6N{<tX7+z?dP3HkZ7P8vA+lpko#rDKvIVV46IC+8{RE=Tir+&g_c%HUomM1P%bWKud*dm2;TFTsh}KMjC@BVe6'
        'MNfGR`ta<ECvI><GhD77#BVA}v)0{{X94;HYu0dO<sO*9>im57bDw~Zvl#>7$rn0Rd~q{kFZghz=qIH-^%G4a|~c;5Jp<D=Uq95llGuJ'
        'Hb6KokIg2^h{%l5tv6#DP4(7#IZH0~iBW0CwOqfC;z<Fb1vw?7(G6VU34TWGJ;S{U9)%002k<00004000020|0=6nNj~bA}F;l{a_OTt'
        'pxz$#upoKY1^*%_DyZ8-vAW*64ui{sKbYKp!VbHzl6JgjN{4)dkCcz3AN_^xw6ChdR(2x*Tr!&aaZ7ryRokDlDI~W3N?=zC`<r2IEOqo'
        'Fis)dAG@1|DJ@LMi6#^>GbA8zqAAP{G&pPkI#4{yteF!r2XPJL323NFBtp1Oqp&kxawx;i0o<Y9xN&3$0<i#`80;S~%^YMVyc=u`7+kl'
        '8;!Y7e1nXvC(B&GNF<JC6'
    ),
    'dv&SP!LcGT$#en+IDrBN=)eL7)(39}25xT#VRCN<zrSw=$w+So0RRF50RjR6009640|Ns900jUA1qB5Fm^#uAm^#uA(ht%P(hrzA',
    'dv&SP!LcGTm0NNKX6bJRnG|pa^H6XGhSP8cBqwnOIaqN9s>E>y0s;X50RRF5009620RaF200jUA1qA>Am^#uAm^#uA(ht%Pm^zp`',
    'dv&SP!LcGT3kU=U1_=NK0|o^F0|x;D0096200961008L&008L&=>zEl=>q@&',
    'dv&SP!LcGT0RRF63Je4X00IC51ONsD000000RaF2008L&008L&=>zEl00000',
)  # fmt: skip


def _packs(texts: tuple[str, ...]) -> UrlPacks:
    once, *blocks = map(b85decode, texts)
    half = len(blocks) // 2
    return UrlPacks(once, blocks[:half], blocks[half:])


# The oldest first: in planes, and with what rows tell of in one piece.
BY_URL = (_packs(_BY_URL), _packs(_TOLD_TOGETHER_BY_URL))
BY_RESULT = (_packs(_BY_RESULT), _packs(_TOLD_TOGETHER_BY_RESULT))

"""Packs by URL and by result as an earlier version wrote them, in blocks of eight rows: they are to stay readable."""

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


def _packs(texts: tuple[str, ...]) -> UrlPacks:
    once, *blocks = map(b85decode, texts)
    half = len(blocks) // 2
    return UrlPacks(once, blocks[:half], blocks[half:])


BY_URL, BY_RESULT = _packs(_BY_URL), _packs(_BY_RESULT)

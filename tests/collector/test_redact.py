"""Credentials and secrets in URLs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.redact import redact_text, redact_url


@pytest.mark.parametrize(
    "url",
    [
        "https://robinhood.com/stocks/AAPL",
        "https://shop.example/search?q=shoes&page=2&sort=price&author=ann#top",
        "https://medium.com/@ann/story?source=home",
        "http://127.0.0.1:8050/x@y",
        "https://host/?email=ann@example.com",
        "about:blank",
        "",
    ],
)
def test_a_url_without_secrets_stays_as_it_is(url: str) -> None:
    assert redact_url(url) == url


@pytest.mark.parametrize(
    ("url", "redacted"),
    [
        ("https://ann:pw@host/x", "https://host/x"),
        ("https://ann@host/x", "https://host/x"),
        ("//ann:pw@host/x", "//host/x"),
        ("https:\\\\ann:pw@host\\x", "https:\\\\host\\x"),
        ("https://ann:p@ss@host:8080/x", "https://host:8080/x"),
        ("https://ann:p/ss@host/x", "https://host/x"),
        ("https://ann:p?s#s@host/x", "https://host/x"),
        ("https://web.archive.org/2020/https://ann:pw@host/x", "https://web.archive.org/2020/https://host/x"),
    ],
)
def test_credentials_are_removed(url: str, redacted: str) -> None:
    assert redact_url(url) == redacted


@pytest.mark.parametrize(
    "name",
    [
        "token",
        "access_token",
        "accessToken",
        "TOKEN",
        "api_key",
        "apikey",
        "api-key",
        "key",
        "subscription-key",
        "secret",
        "client_secret",
        "password",
        "passwd",
        "pwd",
        "sig",
        "X-Amz-Signature",
        "X-Amz-Credential",
        "X-Amz-Security-Token",
        "AWSAccessKeyId",
        "sessionid",
        "PHPSESSIONID",
        "jwt",
        "auth",
        "authorization",
        "user%5Btoken%5D",
        "%74oken",
    ],
)
def test_the_value_of_a_secret_looking_parameter_is_removed(name: str) -> None:
    assert redact_url(f"https://host/x?a=1&{name}=s3cr3t&b=2") == f"https://host/x?a=1&{name}=***&b=2"


@pytest.mark.parametrize(
    "value",
    [
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
        "AKIAIOSFODNN7EXAMPLE",
        "ghp_0123456789abcdefghij0123456789abcdef",
        "sk_live_0123456789abcdef",
        "xoxb-0123456789-abcdef",
    ],
)
def test_a_value_that_has_the_form_of_a_secret_is_removed(value: str) -> None:
    assert redact_url(f"https://host/x?id={value}&b=2") == "https://host/x?id=***&b=2"


@pytest.mark.parametrize(
    ("url", "redacted"),
    [
        ("https://host/cb#access_token=abc&state=1", "https://host/cb#access_token=***&state=1"),
        ("https://host/x;jsessionid=abc?b=c", "https://host/x;jsessionid=***?b=c"),
        ("https://host/x?a=1;token=abc;b=2", "https://host/x?a=1;token=***;b=2"),
        ("https://host/?next=https://ann:pw@other/?token=abc&b=2", "https://host/?next=https://other/?token=***&b=2"),
        (
            "https://host/?next=https%3A%2F%2Fann%3Apw%40other%2F%3Ftoken%3Dabc%26q%3D1&b=2",
            "https://host/?next=https%3A%2F%2Fother%2F%3Ftoken%3D***%26q%3D1&b=2",
        ),
    ],
)
def test_secrets_in_fragments_paths_and_inner_urls_are_removed(url: str, redacted: str) -> None:
    assert redact_url(url) == redacted


def test_a_cut_credential_is_not_taken_for_a_host() -> None:
    assert redact_url("https://ann:" + "p" * 8180) == "https://***"


def test_urls_in_an_error_text_are_redacted() -> None:
    text = 'net::ERR_FAILED at "https://ann:pw@host/?key=abc", waiting until "load" (mail ann@example.com)'
    assert (
        redact_text(text) == 'net::ERR_FAILED at "https://host/?key=***", waiting until "load" (mail ann@example.com)'
    )


parts = st.lists(
    st.sampled_from(
        [*"https://host:80/@?&;#=%", "token", "a", "://", "%2F", "%3D", "%40", "%25", "next", "\\", " ", "***", "é"]
    ),
    max_size=25,
).map("".join)


@given(url=parts | st.text())
def test_redacting_twice_is_redacting_once(url: str) -> None:
    once = redact_url(url)
    assert redact_url(once) == once


@given(
    user=st.text("abcXYZ019._~!$'()*+,-", min_size=1),
    password=st.text("abcXYZ019._~!$&'()*+,;=:@-", min_size=1).filter(lambda text: not text.isdecimal()),
    path=st.sampled_from(["", "/", "/a/b?c=d", "?c", "#f"]),
)
def test_no_password_of_a_valid_url_is_left(user: str, password: str, path: str) -> None:
    assert redact_url(f"https://{user}:{password}@host{path}") == f"https://host{path}"

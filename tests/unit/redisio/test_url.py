import pytest

from cluster.redisio.url import RedisUrl


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("unix:///run/redis.sock", RedisUrl("unix", "", 6379, "/run/redis.sock", "", "", 0)),
        ("unix://s1:p%40ss%2F@/run/r.sock", RedisUrl("unix", "", 6379, "/run/r.sock", "s1", "p@ss/", 0)),
        ("redis://127.0.0.1", RedisUrl("redis", "127.0.0.1", 6379, "", "", "", 0)),
        ("redis://:secret@[::1]:7000/3", RedisUrl("redis", "::1", 7000, "", "", "secret", 3)),
        ("redis+cluster://u:p@h:7000", RedisUrl("redis", "h", 7000, "", "u", "p", 0, is_cluster=True)),
        ("rediss+cluster://h", RedisUrl("rediss", "h", 6379, "", "", "", 0, is_cluster=True)),
        (
            "redis+cluster://u:p@h:7000,[::1]:7001",
            RedisUrl("redis", "h", 7000, "", "u", "p", 0, is_cluster=True, others=(("::1", 7001),)),
        ),
        ("redis://:a,b@h,i", RedisUrl("redis", "h", 6379, "", "", "a,b", 0, others=(("i", 6379),))),
        ("rediss://u%3Aser:x@redis.example:1/", RedisUrl("rediss", "redis.example", 1, "", "u:ser", "x", 0)),
        ("rediss://h?ssl_ca_certs=/a%20b.pem", RedisUrl("rediss", "h", 6379, "", "", "", 0, ca_file="/a b.pem")),
    ],
)
def test_reads_the_forms_that_redis_py_reads(text: str, expected: RedisUrl) -> None:
    assert RedisUrl.parse(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "redis://",
        "unix://host/x",
        "http://host",
        "redis://h:port",
        "redis://h:99999",
        "redis://h/first",
        "redis+cluster://h/1",
        "unix+cluster:///x",
        "redis://h,redis://i",
        "redis://h,",
        "redis+sentinel://h",
        "redis+sentinel://h/verona/first",
        "redis://h?sentinel_password=x",
        "redis://h?ssl_ca_certs=/ca.pem",
        "rediss://h?ssl_ca_certs=ca.pem",
        "rediss://h?ssl_cert_reqs=none",
    ],
)
def test_other_text_is_refused_with_the_forms_that_are_read(text: str) -> None:
    with pytest.raises(ValueError, match="write unix://"):
        RedisUrl.parse(text)


SENTINELS = "redis+sentinel://u:p%40@h,[::1]:5000/my%2Fmaster/2?sentinel_username=watch&sentinel_password=s%26p"


def test_sentinels_have_a_login_of_their_own() -> None:
    url = RedisUrl.parse(SENTINELS)
    assert (url.service, url.database, url.addresses) == ("my/master", 2, [("h", 26379), ("::1", 5000)])
    assert url.sentinel_at("::1", 5000) == RedisUrl("redis", "::1", 5000, "", "watch", "s&p", 0)
    assert url.at("i", 6379) == RedisUrl("redis", "i", 6379, "", "u", "p@", 2)


@pytest.mark.parametrize(
    "text",
    [
        "unix://s1:p%40ss%2F@/run/my%20r.sock",
        "redis://h",
        "redis://u%3A1:p%2F@[::1]:7000,h/3",
        "redis+cluster://u:p@h,i:7001",
        "rediss+cluster://h?ssl_ca_certs=/a%20b.pem",
        "rediss+sentinel://h/verona?ssl_ca_certs=/ca.pem",
        SENTINELS,
    ],
)
def test_what_is_written_is_read_again(text: str) -> None:
    assert RedisUrl.parse(RedisUrl.parse(text).text) == RedisUrl.parse(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("redis+cluster://u:secret@h:7000", "redis+cluster://u@h:7000/0"),
        ("redis+sentinel://:secret@h,i/verona?sentinel_password=secret", "redis+sentinel://h:26379,i:26379/verona/0"),
    ],
)
def test_it_is_shown_as_it_was_written_but_for_the_passwords(text: str, shown: str) -> None:
    assert str(RedisUrl.parse(text)) == shown


@pytest.mark.parametrize(
    "text",
    ["http://u:secret@h", "redis://u:/secret@h", "redis+sentinel://h?sentinel_password=secret&sentinel_username=u"],
)
def test_no_message_shows_the_password(text: str) -> None:
    with pytest.raises(ValueError, match="not a Redis address") as caught:
        RedisUrl.parse(text)
    assert "secret" not in str(caught.value)

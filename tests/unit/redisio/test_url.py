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
            "redis+cluster://u:p@h:7000,redis+cluster://u:p@[::1]:7001",
            RedisUrl("redis", "h", 7000, "", "u", "p", 0, is_cluster=True, others=(("::1", 7001),)),
        ),
        ("redis://:a,b@h,redis://:a,b@i", RedisUrl("redis", "h", 6379, "", "", "a,b", 0, others=(("i", 6379),))),
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
        "redis://h?ssl_ca_certs=/ca.pem",
        "rediss://h?ssl_ca_certs=ca.pem",
        "rediss://h?ssl_cert_reqs=none",
    ],
)
def test_other_text_is_refused_with_the_forms_that_are_read(text: str) -> None:
    with pytest.raises(ValueError, match="write unix://"):
        RedisUrl.parse(text)


@pytest.mark.parametrize(
    "text", ["redis://h,rediss://i", "redis://u:p@h,redis://u:q@i", "redis://h/1,redis://i/2", "unix:///a,unix:///b"]
)
def test_several_addresses_are_of_one_user(text: str) -> None:
    with pytest.raises(ValueError, match="differ only in host and port"):
        RedisUrl.parse(text)


def test_it_is_shown_as_it_was_written_but_for_the_password() -> None:
    assert str(RedisUrl.parse("redis+cluster://u:secret@h:7000")) == "redis+cluster://u@h:7000/0"


def test_no_message_shows_the_password() -> None:
    assert "secret" not in str(RedisUrl.parse("redis://u:secret@h/1"))
    with pytest.raises(ValueError, match="not a Redis address") as caught:
        RedisUrl.parse("http://u:secret@h")
    assert "secret" not in str(caught.value)

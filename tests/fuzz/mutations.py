"""Hostile input from sound input: cut, doubled, stretched, spiced. What hypothesis draws from."""

from collections.abc import Sequence

from hypothesis import strategies as st

# What has broken parsers before: ends of strings and lines, quotes, numbers at the edge of their type, halves
# of surrogate pairs, text that claims to be something else, depth, and length.
SPICE = (
    b"\x00", b"\n", b"\r\n", b'"', b"\\", b"{", b"[", b"}", b"]", b"&a ", b"*a", b"!!int ", b"<<: ",
    b"-1", b"1e999", b"NaN", b"Infinity", b".nan", b".inf", b"9" * 400, b"9" * 5000, b"0x" + b"f" * 5000,
    b"1:" + b"59:" * 200 + b"1.5", b"2026-99-99", b"0001-01-01T00:00:00+14:00", b"9999-12-31T23:59:59-14:00",
    b"\\ud800", b'"\\ud800"', b'"\\U99999999"', b"\xed\xa0\x80", b"\xff", b"\xff\xfe",
    b"\xff\xd8", b"\xff\xda", b"\xe2\x80\xae", b"%00", b"../", b"true", b"null", b"\x7f\xff\xff\xff",
    b"\xff\xff\xff\xff", b"\x80\x00\x00\x00",
    b"[" * 3000, b'{"a":' * 1500, b"- " * 1000, b"(" * 200, b"a" * 3000, b"," * 3000,
)  # fmt: skip


@st.composite
def hostile(draw: st.DrawFn, seeds: Sequence[bytes], max_bytes: int) -> bytes:
    """Return one of ``seeds`` changed in up to four places, or bytes of no origin."""
    if draw(st.integers(0, 15)) == 0:
        return draw(st.binary(max_size=200))
    data = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        gone = draw(st.sampled_from((0, 0, 1, 2, 8, 64, len(data))))
        new = draw(st.one_of(st.sampled_from(SPICE), st.binary(max_size=8)))
        data = data[:at] + new + data[at + gone :]
    return data[:max_bytes]

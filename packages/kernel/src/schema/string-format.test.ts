import assert from "node:assert/strict";
import { test } from "node:test";
import { STRING_FORMATS } from "./string-format.ts";

const samples: Readonly<Record<string, { good: readonly string[]; bad: readonly string[] }>> = {
  "date-time": {
    good: ["2026-01-31T12:00:00Z", "2024-02-29t23:59:60z", "2026-01-01T00:59:60.5+01:00"],
    bad: ["2026-01-31", "2026-02-29T00:00:00Z", "2026-01-31 12:00:00Z", "2026-01-31T12:00:60Z"],
  },
  date: { good: ["2000-02-29", "2026-12-31"], bad: ["1900-02-29", "2026-13-01", "2026-1-1", ""] },
  time: { good: ["23:59:59Z", "12:00:00.123+02:00"], bad: ["24:00:00Z", "12:00:00", "12:60:00Z"] },
  duration: { good: ["P1D", "PT1H30M", "P3W", "P1Y2M3DT4H5M6S"], bad: ["P", "PT", "1D", "P1DT"] },
  email: {
    good: ["ada@example.org", "a+b@localhost", "o'hara@x.y"],
    bad: ["ada", "@x", "a@", "a..b@x.y", "a b@x.y", "a@-x.y", "a@b@c@"],
  },
  hostname: {
    good: ["localhost", "a-b.example.org"],
    bad: ["", "-a", "a..b", "a_b", "a".repeat(64)],
  },
  ipv4: { good: ["127.0.0.1", "0.0.0.0"], bad: ["256.1.1.1", "1.2.3", "01.2.3.4", "1.2.3.4.5"] },
  ipv6: {
    good: [
      "::",
      "::1",
      "fe80::1",
      "1:2:3:4:5:6:7:8",
      "::ffff:1.2.3.4",
      "1::",
      "1:2:3:4:5:6:1.2.3.4",
    ],
    bad: ["", ":", "1:2:3:4:5:6:7", "1::2::3", "12345::", "::1.2.3", "1.2.3.4::", ":1:2:3:4:5:6:7"],
  },
  uri: {
    good: ["https://example.org/a?b#c", "urn:isbn:1", "mailto:a@b", "http://[::1]:80/"],
    bad: ["/a", "//x", "http://a b", "http://[x]/", "https://a/%zz", "http://a/[b]", "http://a:b/"],
  },
  "uri-reference": { good: ["", "/a", "../b?c", "#d", "//h/p"], bad: ["a b", "1:2", "\\", "#a#b"] },
  uuid: {
    good: ["0190A5B0-7C3e-7000-8000-000000000000"],
    bad: ["0190a5b07c3e70008000000000000000", "g190a5b0-7c3e-7000-8000-000000000000"],
  },
  "json-pointer": { good: ["", "/", "/a~1b/0", "/~0"], bad: ["a", "/~", "/~2", "#/a"] },
  regex: { good: ["^a+$", ""], bad: ["(", "[", "\\a"] },
};

test("every known format has good and bad samples", () => {
  assert.deepEqual(Object.keys(samples).toSorted(), [...STRING_FORMATS.keys()].toSorted());
});

for (const [name, { good, bad }] of Object.entries(samples)) {
  test(`the format ${name} tells its samples apart`, () => {
    const format = STRING_FORMATS.get(name);
    for (const text of good) assert.equal(format?.test(text), true, JSON.stringify(text));
    for (const text of bad) assert.equal(format?.test(text), false, JSON.stringify(text));
    assert.equal(format?.test("a".repeat(100_000)), false, "longer than any of them");
  });
}

import assert from "node:assert/strict";
import { test } from "node:test";
import { formatLetter, parseLetter } from "./outbox-letter.ts";

/** As version 0.1.0 writes them; rows of that form are read by every later version. */
const golden = [
  '{"form":1,"message":{"id":"0197a000-0000-7000-8000-000000000001","topic":"orders.placed",' +
    '"timestampMs":1735689600000,"body":{"id":"o-1","text":"\\u0000 \\ud800 ü"},' +
    '"headers":{"source":"orders","schemaVersion":"1"}}}',
  '{"form":1,"message":{"id":"0197a000-0000-7000-8000-000000000002","topic":"orders.placed",' +
    '"timestampMs":1735689600000,"body":{},"headers":{"source":"orders","principal":"account:1"},' +
    '"orderingKey":"k","deliverAtMs":1735689700000}}',
  // With what 0.1.0 passes over.
  '{"form":1,"message":{"id":"0197a000-0000-7000-8000-000000000003","topic":"orders.placed",' +
    '"timestampMs":1735689600000,"body":{},"headers":{"source":"orders"},' +
    '"expiresAtMs":1735689800000,"priority":7}}',
];

test("letters of every released form are read, and the newest is written as it was", () => {
  const messages = golden.map(parseLetter);
  assert.deepEqual(messages[0], {
    id: "0197a000-0000-7000-8000-000000000001",
    topic: "orders.placed",
    timestampMs: 1_735_689_600_000,
    body: { id: "o-1", text: "\u0000 \ud800 ü" },
    headers: { source: "orders", schemaVersion: "1" },
  });
  assert.deepEqual([messages[1]?.orderingKey, messages[1]?.deliverAtMs], ["k", 1_735_689_700_000]);
  assert.deepEqual([messages[2]?.expiresAtMs, messages[2]?.priority], [1_735_689_800_000, 7]);
  assert.deepEqual(messages.map(formatLetter), golden);
});

test("what is no letter is refused with what is wrong about it", () => {
  const wrong = [
    "",
    "[]",
    "null",
    '{"form":2,"message":{}}',
    '{"form":1}',
    '{"form":1,"message":[]}',
  ];
  for (const text of wrong) {
    assert.throws(() => parseLetter(text), { code: "MESSAGING_MESSAGE_INVALID" }, text);
  }
  assert.throws(() => parseLetter(wrong[3] ?? ""), /form is 2, and this version reads 1/);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { seedOf } from "@banyan/testbed";
import fc from "fast-check";
import { acceptedWhole, readAccepted, readFailure, readRetryInfo } from "./export-answer.ts";
import { answerFailure, answerHttpStatus } from "./grpc-status.ts";
import { responses, retryInfoType, statusType } from "./otlp-decoder.test.ts";
import { readFields } from "./protobuf-reader.ts";

test("a partial success is read as protobufjs wrote it, of both signals and wires", () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), fc.string({ unit: "grapheme" }), (rejected, message) => {
      for (const [signal, name] of [
        ["traces", "rejectedSpans"],
        ["metrics", "rejectedDataPoints"],
      ] as const) {
        const value = { partialSuccess: { [name]: String(rejected), errorMessage: message } };
        const type = responses[signal];
        const body = type.encode(type.fromObject(value)).finish();
        const expected = { kind: "accepted", rejected, message };
        assert.deepEqual(readAccepted(body, "protobuf"), expected);
        assert.deepEqual(readAccepted(Buffer.from(JSON.stringify(value)), "json"), expected);
      }
    }),
    { seed: seedOf() },
  );
});

test("a success that cannot be read is a success", () => {
  assert.deepEqual(readAccepted(Buffer.alloc(0), "protobuf"), acceptedWhole);
  for (const body of ["<html>", "null", "[]", '{"partialSuccess":7}', "{}"]) {
    assert.deepEqual(readAccepted(Buffer.from(body), "json"), acceptedWhole);
  }
  const absurd = '{"partialSuccess":{"rejectedSpans":"many","errorMessage":3}}';
  assert.deepEqual(readAccepted(Buffer.from(absurd), "json"), acceptedWhole);
  const negative = '{"partialSuccess":{"rejectedSpans":"-5"}}';
  assert.deepEqual(readAccepted(Buffer.from(negative), "json"), acceptedWhole);
});

test("no bytes from outside make a reader throw", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      readFields(bytes);
      readFailure(bytes, "protobuf");
      readFailure(bytes, "json");
      readRetryInfo(bytes);
      assert.equal(readAccepted(bytes, "protobuf").kind, "accepted");
      assert.equal(readAccepted(bytes, "json").kind, "accepted");
    }),
    { seed: seedOf(), numRuns: 2000 },
  );
});

test("what is cut short is no message", () => {
  for (const hex of ["08", "0a05616263", "09010203", "0d01", "ffffffffffffffffffffff01", "0b"]) {
    assert.equal(readFields(Buffer.from(hex, "hex")), undefined, hex);
  }
});

test("a failure is explained in the receiver's words", () => {
  const status = statusType.encode(statusType.create({ code: 3, message: "bad data" })).finish();
  assert.equal(readFailure(status, "protobuf"), "bad data");
  assert.equal(readFailure(Buffer.from('{"code":3,"message":"bad data"}'), "json"), "bad data");
  assert.equal(readFailure(Buffer.from("oops"), "json"), "");
});

test("the wait of a RetryInfo is found among other details", () => {
  const retryDelay = { seconds: 3, nanos: 250_000_000 };
  const details = [
    { typeUrl: "type.googleapis.com/google.rpc.Help", value: Buffer.from([0xff]) },
    {
      typeUrl: "type.googleapis.com/google.rpc.RetryInfo",
      value: retryInfoType.encode(retryInfoType.fromObject({ retryDelay })).finish(),
    },
  ];
  const encode = (some: object[]): Uint8Array =>
    statusType.encode(statusType.fromObject({ code: 14, details: some })).finish();
  assert.equal(readRetryInfo(encode(details)), 3250);
  assert.equal(readRetryInfo(encode(details.slice(0, 1))), undefined);
});

test("gRPC statuses are tried again as the specification lists them", () => {
  const again = Array.from({ length: 17 }, (_, code) => code).filter(
    (code) => answerFailure({ code, message: "", details: undefined }).kind === "again",
  );
  // CANCELLED, DEADLINE_EXCEEDED, ABORTED, OUT_OF_RANGE, UNAVAILABLE, DATA_LOSS
  assert.deepEqual(again, [1, 4, 10, 11, 14, 15]);
  const unknown = answerFailure({ code: 99, message: "?", details: undefined });
  assert.deepEqual(unknown, { kind: "refused", reason: "gRPC UNKNOWN: ?" });
});

test("an answer that is no gRPC is judged by its HTTP status", () => {
  assert.deepEqual(
    [404, 429, 500, 502, 503, 504].filter((status) => answerHttpStatus(status).kind === "again"),
    [429, 502, 503, 504],
  );
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesText } from "./backup-output.ts";

test("sizes are told in the unit that people read", () => {
  const sizes = [0, 1, 1023, 1024, 1536, 1_048_576, 1_073_741_824, 5e15].map(bytesText);
  assert.deepEqual(sizes, [
    "0 B",
    "1 B",
    "1023 B",
    "1.0 KiB",
    "1.5 KiB",
    "1.0 MiB",
    "1.0 GiB",
    "4547.5 TiB",
  ]);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { configSchema } from "./config-schema.ts";
import { configurable } from "./options.ts";

test("what a configuration may set stands in the section, and nothing else", () => {
  assert.deepEqual(Object.keys(configSchema.properties).toSorted(), [...configurable].toSorted());
});

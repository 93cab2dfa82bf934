/**
 * Reads OTLP as a receiver does, with protobufjs and the published schema, and nothing of our
 * encoder. JSON is held to the rules of OTLP/JSON name by name before it is believed.
 */

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import protobuf from "protobufjs";

export type Decoded = Readonly<Record<string, unknown>>;

/** What has a message type in the schema. */
export type MessageName = "traces" | "metrics";

const schemaFolder = new URL("test-schema/", import.meta.url);
const packageOf = "opentelemetry.proto.collector";

const schema = loadSchema();
const requests: Readonly<Record<MessageName, protobuf.Type>> = {
  traces: schema.lookupType(`${packageOf}.trace.v1.ExportTraceServiceRequest`),
  metrics: schema.lookupType(`${packageOf}.metrics.v1.ExportMetricsServiceRequest`),
};
export const responses: Readonly<Record<MessageName, protobuf.Type>> = {
  traces: schema.lookupType(`${packageOf}.trace.v1.ExportTraceServiceResponse`),
  metrics: schema.lookupType(`${packageOf}.metrics.v1.ExportMetricsServiceResponse`),
};
export const statusType = schema.lookupType("google.rpc.Status");
export const retryInfoType = schema.lookupType("google.rpc.RetryInfo");

function loadSchema(): protobuf.Root {
  const root = new protobuf.Root();
  for (const name of readdirSync(schemaFolder)) {
    protobuf.parse(readFileSync(new URL(name, schemaFolder), "utf8"), root, { keepCase: false });
  }
  root.resolveAll();
  return root;
}

/** As an object with every default; ids are hexadecimal, numbers of 64 bits are text. */
export function decodeProtobuf(name: MessageName, bytes: Uint8Array): Decoded {
  return show(requests[name], requests[name].decode(bytes));
}

/** The same of OTLP/JSON. Throws where the text breaks one of its rules. */
export function decodeJson(name: MessageName, text: string): Decoded {
  const type = requests[name];
  return show(type, type.fromObject(strictly(type, JSON.parse(text), name)));
}

function show(type: protobuf.Type, message: protobuf.Message): Decoded {
  const shown = type.toObject(message, {
    defaults: true,
    arrays: true,
    longs: String,
    enums: Number,
    bytes: Array,
  });
  return Object.fromEntries(Object.entries(shown).map(([key, value]) => [key, withHexIds(value)]));
}

const idNames = new Set(["traceId", "spanId", "parentSpanId"]);

function withHexIds(value: unknown, name = ""): unknown {
  if (idNames.has(name)) return Buffer.from(value as number[]).toString("hex");
  if (Array.isArray(value)) return value.map((each) => withHexIds(each));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => [key, withHexIds(each, key)]),
  );
}

/** The JSON of a message as what protobufjs takes, after every rule was asserted. */
function strictly(type: protobuf.Type, value: unknown, path: string): Record<string, unknown> {
  assert(typeof value === "object" && value !== null && !Array.isArray(value), `${path}: object`);
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => {
      const at = `${path}.${key}`;
      const field = type.fields[key];
      assert(field !== undefined, `${at} is no field of ${type.name}`);
      if (!field.repeated) return [key, strictOne(field, each, at)];
      assert(Array.isArray(each), `${at}: a list`);
      return [key, each.map((one, index) => strictOne(field, one, `${at}[${index}]`))];
    }),
  );
}

function strictOne(field: protobuf.Field, value: unknown, at: string): unknown {
  const { resolvedType, type } = field.resolve();
  if (resolvedType instanceof protobuf.Type) return strictly(resolvedType, value, at);
  if (resolvedType instanceof protobuf.Enum || type.endsWith("32")) {
    assert(Number.isInteger(value), `${at}: a whole number`);
    return value;
  }
  if (type.endsWith("64")) {
    assert(typeof value === "string" && /^-?\d+$/.test(value), `${at}: decimal text`);
    return value;
  }
  if (type === "bytes") {
    assert(typeof value === "string" && /^(?:[0-9a-f]{2})*$/i.test(value), `${at}: hex text`);
    return [...Buffer.from(value, "hex")];
  }
  if (type === "double") {
    if (typeof value === "number") return value;
    assert(["NaN", "Infinity", "-Infinity"].includes(String(value)), `${at}: a number`);
    return Number(value);
  }
  assert.equal(typeof value, type === "bool" ? "boolean" : type, at);
  return value;
}

if (import.meta.main) {
  test("the decoder reads what the specification shows, in both encodings", () => {
    const json = JSON.stringify({
      resourceSpans: [
        {
          resource: { attributes: [{ key: "service.name", value: { stringValue: "my.service" } }] },
          scopeSpans: [
            {
              scope: { name: "my.library", version: "1.0.0" },
              spans: [
                {
                  traceId: "5B8EFFF798038103D269B633813FC60C",
                  spanId: "EEE19B7EC3C1B174",
                  name: "I'm a server span",
                  startTimeUnixNano: "1544712660000000000",
                  endTimeUnixNano: "1544712661000000000",
                  kind: 2,
                },
              ],
            },
          ],
        },
      ],
    });
    const decoded = JSON.stringify(decodeJson("traces", json));
    assert.match(decoded, /"traceId":"5b8efff798038103d269b633813fc60c"/);
    assert.match(decoded, /"startTimeUnixNano":"1544712660000000000"/);
    const bytes = Buffer.from("0a0d12" + "0b12" + "092a" + "07" + "7365727665722e", "hex");
    // By hand: resource_spans { scope_spans { spans { name: "server." } } }
    assert.match(JSON.stringify(decodeProtobuf("traces", bytes)), /"name":"server\."/);
  });

  test("the decoder refuses JSON that is not OTLP's", () => {
    const span = (fields: object): string =>
      JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: [fields] }] }] });
    for (const [fields, why] of [
      [{ trace_id: "00" }, /trace_id is no field/],
      [{ startTimeUnixNano: 1 }, /decimal text/],
      [{ kind: "SPAN_KIND_SERVER" }, /a whole number/],
      [{ traceId: "W47/95gDgQPSabYzgT/GDA==" }, /hex text/],
      [{ attributes: {} }, /a list/],
    ] as const) {
      assert.throws(() => decodeJson("traces", span(fields)), why);
    }
  });
}

/**
 * OpenAPI 3.1 from contracts (its schemas are JSON Schema 2020-12, so they go in as they are).
 *
 * One tag per service, one path per operation, every error by its code.
 */

import type { AnyContract, JsonSchema, OperationSpec, Schema } from "@banyan/kernel";
import { errorKinds } from "@banyan/kernel";
import { kernelErrors, listOperations, toJsonSchema } from "@banyan/kernel/internal";
import type { NamedOperation } from "@banyan/kernel/internal";
import { accessText } from "./access-text.ts";
import { exampleOf } from "./example.ts";
import { closedSchema } from "./request-schema.ts";

type Json = Readonly<Record<string, unknown>>;

export interface OpenApiOptions {
  readonly title?: string;
  readonly version: string;
}

/** The document of `/openapi.json` and of `banyan contract export`. */
export function openApiDocument(
  contracts: readonly AnyContract[],
  { title = "Banyan node", version }: OpenApiOptions,
): Json {
  const sorted = contracts.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const paths: Record<string, Record<string, unknown>> = {};
  for (const contract of sorted) {
    for (const operation of listOperations(contract.spec.operations ?? {})) {
      const { path, method } = addressOf(contract, operation);
      (paths[path] ??= {})[method] = operationObject(contract, operation);
    }
  }
  return {
    openapi: "3.1.1",
    info: { title, version },
    servers: [{ url: "/" }],
    tags: sorted.map(({ name, spec }) => ({ name, description: spec.description ?? spec.summary })),
    paths,
    components: {
      schemas: { Problem: problemSchema },
      securitySchemes: { operator: { type: "http", scheme: "bearer" } },
    },
  };
}

function addressOf(
  contract: AnyContract,
  { segments, spec }: NamedOperation,
): { path: string; method: string } {
  if (spec.http === undefined) {
    return { path: `/${[contract.name, ...segments].join("/")}`, method: "post" };
  }
  const path = spec.http.path.replaceAll(/:([A-Za-z0-9]+)/g, "{$1}");
  return { path, method: spec.http.method.toLowerCase() };
}

function operationObject(contract: AnyContract, operation: NamedOperation): Json {
  const { name, spec } = operation;
  return {
    operationId: `${contract.name}.${name}`,
    tags: [contract.name],
    summary: spec.summary,
    ...(spec.description === undefined ? {} : { description: spec.description }),
    ...(spec.deprecated === true ? { deprecated: true } : {}),
    "x-access": accessText(spec.access),
    ...(spec.idempotent === true ? { "x-idempotent": true } : {}),
    security: spec.access === "anonymous" ? [] : [{ operator: [] }],
    parameters: parametersOf(spec),
    ...requestBodyOf(spec),
    responses: responsesOf(contract, spec),
  };
}

function parametersOf(spec: OperationSpec): Json[] {
  const names = [...(spec.http?.path ?? "").matchAll(/:([A-Za-z0-9]+)/g)].map((match) => match[1]);
  const inPath = names.map((name) => ({
    name,
    in: "path",
    required: true,
    schema: { type: "string" },
  }));
  if (spec.http !== undefined || spec.stream !== undefined) return inPath;
  return [
    {
      name: "idempotency-key",
      in: "header",
      required: false,
      description: "Makes asking again safe: the answer is recorded for 24 hours.",
      schema: { type: "string", minLength: 1, maxLength: 255 },
    },
  ];
}

function requestBodyOf(spec: OperationSpec): Json {
  if (spec.http !== undefined || spec.request === undefined) return {};
  const schema = toJsonSchema(spec.request, "input");
  const example = exampleOf(schema);
  const media = {
    schema: portable(closedSchema(schema)),
    ...(example === undefined ? {} : { example }),
  };
  return { requestBody: { required: true, content: { "application/json": media } } };
}

function responsesOf(contract: AnyContract, spec: OperationSpec): Json {
  return { ...successOf(spec), ...errorResponses(contract, spec), default: problemResponse };
}

function successOf(spec: OperationSpec): Json {
  if (spec.http !== undefined) return { "200": { description: "The raw answer." } };
  if (spec.stream !== undefined) {
    const description = "Server-sent events; the data of each is one frame.";
    return { "200": { description, content: mediaOf("text/event-stream", spec.stream) } };
  }
  if (spec.response === undefined) return { "204": { description: "Done." } };
  return {
    "200": { description: "The answer.", content: mediaOf("application/json", spec.response) },
  };
}

function mediaOf(type: string, schema: Schema): Json {
  return { [type]: { schema: portable(toJsonSchema(schema, "output")) } };
}

/** Declared errors and those the pipeline adds, grouped by status. */
function errorResponses(contract: AnyContract, spec: OperationSpec): Json {
  const table = contract.spec.errors ?? {};
  const { REQUEST_INVALID, CALL_UNAUTHENTICATED, CALL_PERMISSION_DENIED } = kernelErrors;
  const codes: [code: string, status: number, summary: string][] = (spec.errors ?? []).flatMap(
    (code) => {
      const declared = table[code];
      if (declared === undefined) return [];
      const status = declared.http ?? errorKinds[declared.kind].http;
      return [[code, status, declared.summary] satisfies [string, number, string]];
    },
  );
  if (spec.http === undefined) codes.push(["REQUEST_INVALID", 400, REQUEST_INVALID.spec.summary]);
  if (spec.access !== "anonymous") {
    codes.push(["CALL_UNAUTHENTICATED", 401, CALL_UNAUTHENTICATED.spec.summary]);
    codes.push(["CALL_PERMISSION_DENIED", 403, CALL_PERMISSION_DENIED.spec.summary]);
  }
  const byStatus = Object.groupBy(codes, ([, status]) => String(status));
  return Object.fromEntries(
    Object.entries(byStatus).map(([status, rows]) => {
      const description = (rows ?? []).map(([code, , text]) => `${code}: ${text}`).join("\n");
      return [status, { ...problemResponse, description }];
    }),
  );
}

const problemResponse = {
  description: "Problem details (RFC 9457).",
  content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } },
};

const problemSchema = {
  type: "object",
  required: ["type", "title", "status", "detail", "code", "kind", "retryable"],
  properties: {
    type: { type: "string", format: "uri" },
    title: { type: "string" },
    status: { type: "integer" },
    detail: { type: "string" },
    code: { type: "string" },
    kind: { type: "string", enum: Object.keys(errorKinds) },
    retryable: { type: "boolean" },
    retryAfterMs: { type: "integer" },
    pointer: { type: "string", description: "JSON pointer of the first issue." },
    issues: {
      type: "array",
      items: {
        type: "object",
        required: ["pointer", "message"],
        properties: {
          pointer: { type: "string" },
          keyword: { type: "string" },
          expected: { type: "string" },
          actual: { type: "string" },
          suggestion: { type: "string" },
          message: { type: "string" },
        },
      },
    },
    details: { type: "object" },
    traceId: { type: "string" },
  },
};

/** A schema's own `$defs` stay inside it; only `#` must not point at the whole document. */
function portable(schema: JsonSchema): JsonSchema {
  if (typeof schema !== "object" || !JSON.stringify(schema).includes('"$ref":"#')) return schema;
  // A schema with an id of its own is the base of its references (JSON Schema core, 8.2.1).
  return { $id: `urn:banyan:schema:${digestOf(schema)}`, ...schema };
}

function digestOf(schema: object): string {
  const text = JSON.stringify(schema);
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193) >>> 0;
  }
  return hash.toString(16).padStart(8, "0");
}

/** What the node's own service answers, narrowed field by field. */

export interface ServiceRow {
  readonly name: string;
  readonly layer: string;
  readonly version: string;
  readonly summary: string;
  readonly state: string;
  readonly because: string;
  readonly from: string;
  readonly operations: number;
}

export interface OperationRow {
  readonly name: string;
  readonly summary: string;
  readonly description: string;
  readonly access: string;
  readonly kind: string;
  readonly method: string;
  readonly path: string;
  readonly idempotent: boolean;
  readonly deadlineMs: number | undefined;
  readonly streamAhead: number | undefined;
  readonly request: Record<string, unknown> | undefined;
  readonly response: Record<string, unknown> | undefined;
  readonly stream: Record<string, unknown> | undefined;
  readonly errors: readonly string[];
  readonly example: unknown;
}

type Bag = Readonly<Record<string, unknown>>;

/** The rows of `/node/services`. */
export function serviceRows(answer: Bag): ServiceRow[] {
  return recordsOf(answer["services"]).map((row) => ({
    name: textOf(row["name"]),
    layer: textOf(row["layer"]),
    version: textOf(row["version"]),
    summary: textOf(row["summary"]),
    state: textOf(row["state"]),
    because: textOf(row["because"]),
    from: textOf(row["from"]),
    operations: typeof row["operations"] === "number" ? row["operations"] : 0,
  }));
}

/** The operations of `/node/describe`. */
export function operationRows(answer: Bag): OperationRow[] {
  return recordsOf(answer["operations"]).map((row) => ({
    name: textOf(row["name"]),
    summary: textOf(row["summary"]),
    description: textOf(row["description"]),
    access: textOf(row["access"]),
    kind: textOf(row["kind"]),
    method: textOf(row["method"]),
    path: textOf(row["path"]),
    idempotent: row["idempotent"] === true,
    deadlineMs: numberIn(row["deadlineMs"]),
    streamAhead: numberIn(row["streamAhead"]),
    request: recordOf(row["request"]),
    response: recordOf(row["response"]),
    stream: recordOf(row["stream"]),
    errors: listOf(row["errors"]).map(textOf),
    example: row["example"],
  }));
}

export function recordOf(value: unknown): Record<string, unknown> | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  // An object that is no array may be read as a bag of unknowns.
  return value as Record<string, unknown>;
}

export function recordsOf(value: unknown): Record<string, unknown>[] {
  return listOf(value)
    .map(recordOf)
    .filter((entry) => entry !== undefined);
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

export function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function numberIn(value: unknown): number | undefined {
  return typeof value === "number" ? value : undefined;
}

export function numberOf(value: unknown): number {
  return typeof value === "number" ? value : 0;
}

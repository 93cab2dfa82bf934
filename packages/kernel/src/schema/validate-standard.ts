// Runs the validation of another library's schema and words its issues as ours.
import { describeValue } from "./describe.ts";
import { type Issue, ISSUES_MAX } from "./issue.ts";
import type { JsonSchema } from "./json-schema.ts";
import { encodePointer, getAtPointer } from "./pointer.ts";
import { redact } from "./redact.ts";
import { SchemaError, SchemaErrorCode } from "./schema-error.ts";
import type { StandardIssue, StandardSchema } from "./standard.ts";

/**
 * The validated (and transformed) value, or `undefined` with the issues appended. Throws
 * `SchemaError` for a schema that validates asynchronously.
 */
export function validateStandard(
  schema: StandardSchema,
  value: unknown,
  report: { readonly issues: Issue[]; readonly jsonSchema: JsonSchema },
): unknown {
  const { vendor, validate } = schema["~standard"];
  const result = validate(value);
  if (result instanceof Promise) {
    // The answer is not waited for, so neither may its failure surface as unhandled.
    result.catch(() => undefined);
    throw new SchemaError(SchemaErrorCode.validationAsync, {
      pointer: "",
      message:
        `this ${vendor} schema validates asynchronously; requests are validated in one go, so move ` +
        `what waits into the operation`,
    });
  }
  if (result.issues === undefined) return result.value;
  const shown = redact(report.jsonSchema, value);
  for (const issue of result.issues.slice(0, ISSUES_MAX)) report.issues.push(toIssue(issue, shown));
  return undefined;
}

function toIssue(issue: StandardIssue, value: unknown): Issue {
  const path = (issue.path ?? []).map((part) => {
    const key = typeof part === "object" ? part.key : part;
    return typeof key === "number" ? key : String(key);
  });
  const pointer = encodePointer(path);
  const subject = pointer === "" ? "the value" : pointer;
  return {
    pointer,
    keyword: "refinement",
    expected: issue.message,
    actual: describeValue(getAtPointer(value, pointer)),
    message: `${subject}: ${issue.message}`,
  };
}

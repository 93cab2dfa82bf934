// A schema that cannot be used is a mistake of the programmer who wrote it, found when the service
// is defined. This error never leaves the kernel: the door turns it into a BanyanError.

/** Why a schema was refused. */
export const SchemaErrorCode = {
  /** The value is no JSON Schema at all (not an object and not a boolean). */
  notASchema: "SCHEMA_NOT_A_SCHEMA",
  /** A keyword that this compiler does not know. */
  keywordUnknown: "SCHEMA_KEYWORD_UNKNOWN",
  /** A keyword with a value that makes no sense (a negative minLength, an unreadable pattern). */
  keywordInvalid: "SCHEMA_KEYWORD_INVALID",
  /** A `format` that this compiler does not know. */
  formatUnknown: "SCHEMA_FORMAT_UNKNOWN",
  /** A `$ref` that leads nowhere, or only back to itself. */
  refUnresolved: "SCHEMA_REF_UNRESOLVED",
  /** A `default` that its own schema refuses. */
  defaultInvalid: "SCHEMA_DEFAULT_INVALID",
  /** A Standard Schema that does not offer its JSON Schema. */
  jsonSchemaMissing: "SCHEMA_JSON_SCHEMA_MISSING",
  /** A Standard Schema with a part that JSON Schema cannot say. */
  jsonSchemaFailed: "SCHEMA_JSON_SCHEMA_FAILED",
  /** A Standard Schema that answers with a promise; calls are validated synchronously. */
  validationAsync: "SCHEMA_VALIDATION_ASYNC",
  /** `copy` was given a value that the schema does not describe. */
  copyInvalid: "SCHEMA_COPY_INVALID",
} as const;
export type SchemaErrorCode = (typeof SchemaErrorCode)[keyof typeof SchemaErrorCode];

/** A schema (or a value promised to be valid) that this folder refuses. */
export class SchemaError extends TypeError {
  override readonly name = "SchemaError";
  readonly code: SchemaErrorCode;
  /** RFC 6901 pointer into the schema (into the value for `SCHEMA_COPY_INVALID`). */
  readonly pointer: string;

  constructor(code: SchemaErrorCode, fault: SchemaFault) {
    super(fault.message, fault.cause === undefined ? undefined : { cause: fault.cause });
    this.code = code;
    this.pointer = fault.pointer;
  }
}

/** Where and what, for a `SchemaError`. */
export interface SchemaFault {
  readonly pointer: string;
  readonly message: string;
  readonly cause?: unknown;
}

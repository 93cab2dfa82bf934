/** The sister packages' door: what rooms above are built with. Not for services. */

export { parseWireError, toBanyanError } from "./errors/banyan-error.ts";
export type { ErrorConstructorOf, ErrorOptions } from "./errors/catalogue.ts";
export { isErrorKind } from "./errors/kinds.ts";
export type { KindNames } from "./errors/kinds.ts";
export { kernelErrors } from "./errors/kernel-errors.ts";

export { requestDigest } from "./request-digest.ts";

export { checkContract, offencesError } from "./contract/check.ts";
export type { Offence } from "./contract/check.ts";
export { eventSpecOf } from "./contract/event-spec.ts";
export { isCompatibleVersion, planNode } from "./contract/plan.ts";
export type { NodePlan, PlanInput } from "./contract/plan.ts";
export type { ChosenEngines, EventBus, StoreEngine } from "./contract/plan-engines.ts";
export { isEdgeAllowed, isLayer, layers } from "./contract/layers.ts";
export { isOperationSpec, listOperations } from "./contract/operation.ts";
export type { NamedOperation } from "./contract/operation.ts";

export {
  abortReasonOf,
  CallContext,
  currentCallContext,
  runHandler,
  runInCall,
  runOutsideCalls,
} from "./call/call.ts";
export type { CallInit, CallObserver, CallTarget } from "./call/call.ts";
export { Codec } from "./call/codec.ts";
export type { CodecOptions } from "./call/codec.ts";
export { OperationRunner } from "./call/pipeline.ts";
export type { Handler } from "./call/pipeline.ts";
export { assertIdempotencyKey } from "./call/recorded-handler.ts";
export { StreamCall } from "./call/stream-call.ts";
export type { FrameWaiter } from "./call/stream-call.ts";
export { CallRuntime } from "./call/runtime.ts";
export type { CallRuntimeOptions } from "./call/runtime.ts";
export { startSpan } from "./call/trace.ts";
export type { SpanAttributes, SpanKind, SpanShape } from "./call/trace.ts";

export { anonymous, operator, principalKey } from "./ports/access.ts";
export type {
  IdempotencyClaim,
  IdempotencyLedger,
  IdempotencyOutcome,
} from "./ports/idempotency.ts";

export { compileSchema } from "./schema/compile.ts";
export type { CompiledSchema } from "./schema/compile.ts";
export type { ParseMode } from "./schema/issue.ts";
export { isSchemaObject } from "./schema/json-schema.ts";
export type { JsonSchemaObject } from "./schema/json-schema.ts";
export { nearest } from "./schema/nearest.ts";
export { redact } from "./schema/redact.ts";
export { isStandardSchema, toJsonSchema } from "./schema/standard.ts";
export { TimingWheel } from "./time/timing-wheel.ts";
export type { WheelEntry } from "./time/timing-wheel.ts";
export { sleepOn } from "./time/clock.ts";

export { describeConfig } from "./config/describe.ts";
export type { ConfigRow } from "./config/describe.ts";
export { decideEnabled } from "./config/enable.ts";
export type { EnableDecision, ServiceDecision } from "./config/enable.ts";
export { serviceEnvPrefix } from "./config/env-names.ts";
export { configJsonSchema } from "./config/json-schema.ts";
export { enableSection } from "./config/layer-switches.ts";
export { formatProblems, mergeProblems, originText } from "./config/problems.ts";
export type { ConfigProblem, Origin } from "./config/problems.ts";
export type { ConfigFile, ConfigFlag, ConfigSources } from "./config/read-sources.ts";
export { resolveConfig, sectionValue } from "./config/resolve.ts";
export type { ConfigResolution, ResolveConfigInput } from "./config/resolve.ts";
export type { ConfigSection } from "./config/sections.ts";
export { convertText } from "./config/convert.ts";
export type { Conversion } from "./config/convert.ts";
export { typeText } from "./config/type-text.ts";
export { encodePointer, getAtPointer, parsePointer } from "./schema/pointer.ts";

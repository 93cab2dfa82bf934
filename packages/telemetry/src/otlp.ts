/**
 * The exporter's door. It is a door of its own so that a node that exports nothing does not load
 * it: `await import("@banyan/telemetry/otlp")`, once the configuration says so.
 */

export { OtlpExporter, openOtlpExporter } from "./otlp/otlp-exporter.ts";
export type { OtlpCloseOptions } from "./otlp/otlp-exporter.ts";
export type { OtlpHealth, OtlpMetricsHealth } from "./otlp/otlp-health.ts";
export type { OtlpState } from "./otlp/delivery-record.ts";
export { OtlpProtocol } from "./otlp/otlp-options.ts";
export type { OtlpMetricsOptions, OtlpOptions, OtlpTls } from "./otlp/otlp-options.ts";
export type { OtlpResource } from "./otlp/otlp-resource.ts";
export { otlpErrors } from "./otlp/otlp-errors.ts";

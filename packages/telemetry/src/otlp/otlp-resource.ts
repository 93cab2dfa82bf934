/** Who tells: the resource and the scopes of everything that is exported, and attributes. */

import type { OtlpAttribute, OtlpResourceMessage } from "./otlp-schema.ts";

/** The node as OpenTelemetry names it. What is empty or left out is not sent. */
export interface OtlpResource {
  /** `service.name` */
  readonly serviceName: string;
  /** `service.namespace` */
  readonly serviceNamespace?: string | undefined;
  /** `service.version` */
  readonly serviceVersion?: string | undefined;
  /** `service.instance.id`: different for every process of the service. */
  readonly serviceInstanceId?: string | undefined;
  /** `deployment.environment.name` */
  readonly environment?: string | undefined;
}

/** Version of this package; a test holds it to package.json. */
export const sdkVersion = "0.1.0";

export const scopeRoot = "banyan";

export function resourceMessage(resource: OtlpResource): OtlpResourceMessage {
  const { serviceName, serviceNamespace, serviceVersion, serviceInstanceId, environment } =
    resource;
  const told = {
    "service.name": serviceName,
    "service.namespace": serviceNamespace,
    "service.version": serviceVersion,
    "service.instance.id": serviceInstanceId,
    "deployment.environment.name": environment,
    "telemetry.sdk.name": "banyan",
    "telemetry.sdk.language": "nodejs",
    "telemetry.sdk.version": sdkVersion,
  };
  const attributes = Object.entries(told).filter(([, value]) => value !== "");
  return { attributes: attributesOf(Object.fromEntries(attributes)) };
}

/**
 * Attributes with OTLP's types: a whole number is an int, any other a double. What has none of the
 * four types is left out; `undefined` is how a caller leaves something out.
 */
export function attributesOf(values: Readonly<Record<string, unknown>>): OtlpAttribute[] {
  const attributes: OtlpAttribute[] = [];
  for (const [key, value] of Object.entries(values)) {
    const typed = anyValueOf(value);
    if (typed !== undefined) attributes.push({ key, value: typed });
  }
  return attributes;
}

function anyValueOf(value: unknown): OtlpAttribute["value"] {
  switch (typeof value) {
    case "string":
      return { stringValue: value };
    case "boolean":
      return { boolValue: value };
    case "number":
      return isInt(value) ? { intValue: value } : { doubleValue: value };
    default:
      return undefined;
  }
}

/** As an int, -0 would lose its sign. */
function isInt(value: number): boolean {
  return Number.isSafeInteger(value) && !Object.is(value, -0);
}

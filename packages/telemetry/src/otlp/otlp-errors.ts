/** What opening an exporter refuses. After that it never throws: what fails is counted and told. */

import { defineErrors } from "@banyan/kernel";

export const otlpErrors = defineErrors({
  TELEMETRY_OTLP_OPTION_INVALID: {
    kind: "invalid_argument",
    summary:
      "An option of the OTLP exporter is unknown, missing, out of bounds or contradicts another.",
  },
  TELEMETRY_OTLP_TLS_INVALID: {
    kind: "invalid_argument",
    summary:
      "A certificate, an authority or a key of the OTLP exporter is no PEM, or key and certificate do not belong together.",
  },
});

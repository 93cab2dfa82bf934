/** What telemetry refuses. All of them are mistakes of the program, found when it starts. */

import { defineErrors } from "@banyan/kernel";

export const telemetryErrors = defineErrors({
  TELEMETRY_METRIC_INVALID: {
    kind: "failed_precondition",
    summary:
      "A metric is declared with a name, label or bucket list that the exposition format or the naming rules do not allow.",
  },
  TELEMETRY_METRIC_CONFLICT: {
    kind: "already_exists",
    summary:
      "A metric of that name exists with another type, other labels or other buckets. Use one declaration.",
  },
  TELEMETRY_VALUE_INVALID: {
    kind: "invalid_argument",
    summary: "A counter was given a negative amount, or a histogram something that is no number.",
  },
});

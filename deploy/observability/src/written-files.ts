/** Every file of this folder that is written from its description, with its text. */

import { dashboardFile, dashboards, dashboardText } from "./dashboards.ts";
import { renderRecordingRules } from "./recording-rules.ts";

export const recordingRulesFile = "prometheus/rules/banyan-recording.yml";

/** By path, relative to the folder. */
export function writtenFiles(): ReadonlyMap<string, string> {
  return new Map([
    ...dashboards.map((spec) => [dashboardFile(spec), dashboardText(spec)] as const), // a pair
    [recordingRulesFile, renderRecordingRules()],
  ]);
}

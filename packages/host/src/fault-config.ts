/** The section `faultEvents` of the node's configuration: what is told about what goes wrong. */

import { t } from "@banyan/kernel";
import type { Static } from "@banyan/kernel";

export const faultEventsSchema = t.Object(
  {
    enabled: t.Boolean({
      default: true,
      description:
        "Whether a call that failed by a fault of the service, and a message that was given up, are told of, as the events node.callFailed and node.messageBuried.",
    }),
    windowMs: t.Integer({
      default: 60_000,
      minimum: 1000,
      maximum: 3_600_000,
      description:
        "For how long the same operation and code, or the same subscription, reason and code, is told once; the next event counts what was left out.",
    }),
  },
  { description: "Events about what goes wrong." },
);

export type FaultEventsConfig = Static<typeof faultEventsSchema>;

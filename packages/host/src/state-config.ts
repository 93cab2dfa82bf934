/** The section `state` of the node's configuration: what is told about its stores. */

import { t } from "@banyan/kernel";
import type { Static } from "@banyan/kernel";

const failureEventsSchema = t.Object(
  {
    enabled: t.Boolean({
      default: true,
      description:
        "Whether a store that its engine failed is told of, as the event node.storeFailed.",
    }),
    windowMs: t.Integer({
      default: 60_000,
      minimum: 1000,
      maximum: 3_600_000,
      description:
        "For how long the same store, operation and kind of error is told once; the next event counts what was left out. A minute: what a person can still read during an outage.",
    }),
  },
  { default: {}, description: "Events about engines that fail." },
);

const changeEventsSchema = t.Object(
  {
    stores: t.Array(
      t.String({
        minLength: 1,
        maxLength: 300,
        pattern: "^[^.]+\\.([^.]+|\\*)$",
      }),
      {
        default: [],
        description:
          "Stores whose acknowledged changes are told, as the event node.entriesChanged: pantry.jars, or pantry.* for all of a service. For looking on; nothing should be built on it.",
      },
    ),
    ratio: t.Number({
      default: 1,
      minimum: 0,
      maximum: 1,
      description: "Share of the changes that is told, drawn at random.",
    }),
  },
  { default: {}, description: "Events about changes, for debugging." },
);

export const stateSchema = t.Object(
  { failureEvents: failureEventsSchema, changeEvents: changeEventsSchema },
  { description: "What is told about stores." },
);

export type StateConfig = Static<typeof stateSchema>;

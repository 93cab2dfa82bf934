/** The second half of the dashboard of one service: its events and its subscriptions. */

import { traceHint } from "./dashboard-spec.ts";
import type { Row } from "./dashboard-spec.ts";
import { node, over, perSecond, quantile } from "./selectors.ts";

const ownTopics = `${node}, messaging_destination_name=~"$service[.].*"`;
const ownGroups = `${node}, messaging_consumer_group_name=~"$service[.].*"`;
const ownSubscriptions = `${node}, subscription=~"$service[.].*"`;

const events: Row = {
  title: "Its events",
  panels: [
    {
      kind: "time",
      title: "Published",
      about: "By topic; what a transaction publishes is part of the transaction, not counted here.",
      width: 8,
      unit: "ops",
      queries: [
        {
          expr: perSecond("messaging_client_operation_duration_seconds_count", ownTopics, [
            "messaging_destination_name",
            "error_type",
          ]),
          legend: "{{messaging_destination_name}} {{error_type}}",
        },
      ],
    },
    {
      kind: "time",
      title: "Handled, whoever handles them",
      about: "Deliveries of this service's topics, by the group that handled them.",
      width: 8,
      unit: "ops",
      queries: [
        {
          expr: perSecond("messaging_process_duration_seconds_count", ownTopics, [
            "messaging_destination_name",
            "messaging_consumer_group_name",
          ]),
          legend: "{{messaging_destination_name}} by {{messaging_consumer_group_name}}",
        },
      ],
    },
    {
      kind: "time",
      title: "Its handlers, p99",
      about: `How long this service's subscriptions take for one event. ${traceHint}`,
      width: 8,
      unit: "s",
      queries: [
        {
          expr: quantile(0.99, "messaging_process_duration_seconds", {
            where: ownGroups,
            by: ["messaging_consumer_group_name"],
            over,
          }),
          legend: "{{messaging_consumer_group_name}}",
          exemplar: true,
        },
      ],
    },
  ],
};

const subscriptions: Row = {
  title: "Its subscriptions",
  panels: [
    {
      kind: "time",
      title: "Handled and retried",
      about: "Events that were handled, and failed attempts that are followed by another one.",
      width: 8,
      unit: "ops",
      queries: [
        {
          expr: perSecond("banyan_subscription_handled_messages_total", ownSubscriptions, [
            "subscription",
          ]),
          legend: "{{subscription}}",
        },
        {
          expr: perSecond("banyan_subscription_retried_messages_total", ownSubscriptions, [
            "subscription",
          ]),
          legend: "{{subscription}} retried",
        },
      ],
    },
    {
      kind: "time",
      title: "Dead letters",
      about: "Since the nodes started. banyan events dead-letters list shows what is still there.",
      width: 8,
      unit: "none",
      queries: [
        {
          expr: `sum by (subscription) (banyan_subscription_dead_letters_total{${ownSubscriptions}})`,
          legend: "{{subscription}}",
        },
      ],
    },
    {
      kind: "time",
      title: "Lag",
      about: "Age of the oldest event that waits for a handler.",
      width: 8,
      unit: "s",
      limit: 60,
      queries: [
        {
          expr: `max by (subscription) (banyan_subscription_lag_seconds{${ownSubscriptions}})`,
          legend: "{{subscription}}",
        },
      ],
    },
  ],
};

export const eventRows: readonly Row[] = [events, subscriptions];

/** Events: what is published, who is behind, what was given up. */

import { nodeVariables, traceHint } from "./dashboard-spec.ts";
import type { DashboardSpec, Row } from "./dashboard-spec.ts";
import { rabbitmq } from "./rabbitmq-row.ts";
import { node, over, perSecond, quantile } from "./selectors.ts";

const onBus = `${node}, bus=~"$bus"`;

const buses: Row = {
  title: "Buses",
  panels: [
    {
      kind: "time",
      title: "Published",
      about: "Events the bus accepted, and those that nobody subscribes to.",
      width: 8,
      unit: "ops",
      queries: [
        {
          expr: perSecond("banyan_bus_published_messages_total", onBus, ["bus"]),
          legend: "{{bus}}",
        },
        {
          expr: perSecond("banyan_bus_unrouted_messages_total", onBus, ["bus"]),
          legend: "{{bus}} for nobody",
        },
      ],
    },
    {
      kind: "time",
      title: "Publishes waiting",
      about: "For room in a subscription that is full. They fail when their time is over.",
      width: 8,
      unit: "none",
      queries: [{ expr: `banyan_bus_publishes_waiting{${onBus}}`, legend: "{{instance}} {{bus}}" }],
    },
    {
      kind: "time",
      title: "Lost as was asked",
      about:
        "Expired for want of a member or past their own time; only enqueued, and then not kept; dead " +
        "letters pushed out by newer ones.",
      width: 8,
      unit: "none",
      queries: [
        {
          expr: `sum by (bus) (banyan_bus_expired_messages_total{${onBus}})`,
          legend: "{{bus}} expired",
        },
        {
          expr: `sum by (bus) (banyan_bus_enqueue_failed_messages_total{${onBus}})`,
          legend: "{{bus}} enqueued and not kept",
        },
        {
          expr: `sum by (bus) (banyan_bus_dropped_dead_letter_messages_total{${onBus}})`,
          legend: "{{bus}} dead letters dropped",
        },
      ],
    },
    {
      kind: "time",
      title: "Duration of publishes, p99",
      about: "Until the event was as safe as its bus makes it; outside of transactions.",
      width: 24,
      unit: "s",
      queries: [
        {
          expr: quantile(0.99, "messaging_client_operation_duration_seconds", {
            where: node,
            by: ["messaging_system", "messaging_destination_name"],
            over,
          }),
          legend: "{{messaging_system}} {{messaging_destination_name}}",
        },
      ],
    },
  ],
};

const outboxes: Row = {
  title: "Outboxes",
  panels: [
    {
      kind: "time",
      title: "Waiting in an outbox",
      about: "Committed on a server and not on the bus yet; aside: what the bus refuses for good.",
      width: 8,
      unit: "none",
      queries: [
        {
          // Every node counts the rows of all.
          expr: `max by (engine, state) (banyan_outbox_events{${node}})`,
          legend: "{{engine}} {{state}}",
        },
      ],
    },
    {
      kind: "time",
      title: "Relayed",
      about: "Events brought from an outbox to the bus.",
      width: 8,
      unit: "ops",
      queries: [
        {
          expr: perSecond("banyan_outbox_relayed_events_total", node, ["engine"]),
          legend: "{{engine}}",
        },
      ],
    },
    {
      kind: "time",
      title: "Failures of a relay",
      about: "Tries that ended because engine or bus failed; the events stay and are tried again.",
      width: 8,
      unit: "ops",
      queries: [
        {
          expr: perSecond("banyan_outbox_failures_total", node, ["instance", "engine"]),
          legend: "{{instance}} {{engine}}",
        },
      ],
    },
  ],
};

const subscriptions: Row = {
  title: "Subscriptions",
  panels: [
    {
      kind: "table",
      title: "Dead letters",
      about: "Of subscriptions that gave something up. banyan events dead-letters list shows them.",
      width: 12,
      labels: { bus: "Bus", subscription: "Subscription" },
      columns: [
        {
          title: "In an hour",
          unit: "none",
          expr: `sum by (bus, subscription) (job_bus_subscription:banyan_subscription_dead_letters:increase1h{job=~"$job", bus=~"$bus"}) > 0`,
        },
        {
          title: "Since the start",
          unit: "none",
          expr: `sum by (bus, subscription) (banyan_subscription_dead_letters_total{${onBus}}) > 0`,
        },
      ],
    },
    {
      kind: "time",
      title: "Lag",
      about: "Age of the oldest event that waits for a handler.",
      width: 12,
      unit: "s",
      limit: 60,
      queries: [
        {
          expr: `max by (bus, subscription) (banyan_subscription_lag_seconds{${onBus}})`,
          legend: "{{bus}} {{subscription}}",
        },
      ],
    },
    {
      kind: "time",
      title: "Handled",
      about: "Events that a subscription is done with.",
      width: 6,
      unit: "ops",
      queries: [
        {
          expr: perSecond("banyan_subscription_handled_messages_total", onBus, ["subscription"]),
          legend: "{{subscription}}",
        },
      ],
    },
    {
      kind: "time",
      title: "Retried",
      about: "Failed attempts that are followed by another one: what dead letters begin as.",
      width: 6,
      unit: "ops",
      queries: [
        {
          expr: perSecond("banyan_subscription_retried_messages_total", onBus, ["subscription"]),
          legend: "{{subscription}}",
        },
      ],
    },
    {
      kind: "time",
      title: "Held",
      about: "Waiting for a handler, in one, waiting for the next attempt, or for their time.",
      width: 6,
      unit: "none",
      stacked: true,
      queries: [
        {
          expr: `sum by (subscription, state) (banyan_subscription_messages{${onBus}})`,
          legend: "{{subscription}} {{state}}",
        },
      ],
    },
    {
      kind: "time",
      title: "Members",
      about: "Handlers that take its events. 0: nobody does, and they are kept until they expire.",
      width: 6,
      unit: "none",
      queries: [
        {
          expr: `sum by (bus, subscription) (banyan_subscription_members{${onBus}})`,
          legend: "{{bus}} {{subscription}}",
        },
      ],
    },
  ],
};

const handlers: Row = {
  title: "Handlers",
  panels: [
    {
      kind: "time",
      title: "Duration, p99",
      about: `How long a handler takes for one event. ${traceHint}`,
      width: 12,
      unit: "s",
      queries: [
        {
          expr: quantile(0.99, "messaging_process_duration_seconds", {
            where: node,
            by: ["messaging_consumer_group_name"],
            over,
          }),
          legend: "{{messaging_consumer_group_name}}",
          exemplar: true,
        },
      ],
    },
    {
      kind: "time",
      title: "Failures by kind",
      about: "Attempts that ended with an error.",
      width: 12,
      unit: "ops",
      queries: [
        {
          expr: perSecond("messaging_process_duration_seconds_count", `${node}, error_type!=""`, [
            "messaging_consumer_group_name",
            "error_type",
          ]),
          legend: "{{messaging_consumer_group_name}} {{error_type}}",
        },
      ],
    },
    {
      kind: "table",
      title: "Slowest handlers",
      about: "The last five minutes.",
      width: 24,
      labels: { messaging_consumer_group_name: "Subscription" },
      columns: [
        {
          title: "p99",
          unit: "s",
          expr: `topk(20, max by (messaging_consumer_group_name) (job_group:messaging_process_duration_seconds:p99_5m{job=~"$job"}))`,
        },
      ],
    },
  ],
};

export const messaging: DashboardSpec = {
  uid: "banyan-messaging",
  title: "Banyan / Messaging",
  about: "What is published and handled, who is behind, and what was given up.",
  variables: [
    ...nodeVariables,
    {
      name: "bus",
      title: "Bus",
      metric: `banyan_bus_published_messages_total{${node}}`,
      label: "bus",
      several: true,
    },
  ],
  rows: [buses, rabbitmq, outboxes, subscriptions, handlers],
};

/** RabbitMQ, as each node sees it: what it has not confirmed, and whether it is there. */

import type { Row } from "./dashboard-spec.ts";
import { node, over, perSecond, quantile } from "./selectors.ts";

export const rabbitmq: Row = {
  title: "RabbitMQ",
  panels: [
    {
      kind: "time",
      title: "Not confirmed yet",
      about: "Messages that are in the node only; sent: those that RabbitMQ has and has not kept.",
      width: 8,
      unit: "none",
      queries: [
        { expr: `banyan_rabbitmq_outbound_messages{${node}}`, legend: "{{instance}}" },
        { expr: `banyan_rabbitmq_unconfirmed_messages{${node}}`, legend: "{{instance}} sent" },
      ],
    },
    {
      kind: "time",
      title: "Room that they take",
      about:
        "Of outboundMax or outboundBytesMax, whichever is closer. At 0.8 nothing more is taken.",
      width: 8,
      unit: "percentunit",
      limit: 0.8,
      queries: [{ expr: `banyan_rabbitmq_outbound_used_ratio{${node}}`, legend: "{{instance}}" }],
    },
    {
      kind: "time",
      title: "Size",
      about: "Of the messages that are not confirmed.",
      width: 8,
      unit: "bytes",
      queries: [{ expr: `banyan_rabbitmq_outbound_bytes{${node}}`, legend: "{{instance}}" }],
    },
    {
      kind: "time",
      title: "Age of the oldest",
      about: "How long the oldest message waits for its confirm.",
      width: 8,
      unit: "s",
      limit: 60,
      queries: [
        { expr: `banyan_rabbitmq_outbound_oldest_seconds{${node}}`, legend: "{{instance}}" },
      ],
    },
    {
      kind: "time",
      title: "Confirms, p99",
      about: "How long RabbitMQ takes to confirm a message that was sent.",
      width: 8,
      unit: "s",
      queries: [
        {
          expr: quantile(0.99, "banyan_rabbitmq_confirm_duration_seconds", {
            where: node,
            by: ["instance"],
            over,
          }),
          legend: "{{instance}}",
        },
      ],
    },
    {
      kind: "time",
      title: "Connections",
      about: "Two where all is well. Takes: 1 while RabbitMQ takes what is published.",
      width: 8,
      unit: "none",
      queries: [
        { expr: `banyan_rabbitmq_connections{${node}}`, legend: "{{instance}}" },
        { expr: `banyan_rabbitmq_channels{${node}}`, legend: "{{instance}} channels" },
        { expr: `banyan_rabbitmq_takes_messages{${node}}`, legend: "{{instance}} takes" },
        {
          expr: perSecond("banyan_rabbitmq_connects_total", node, ["instance"]),
          legend: "{{instance}} connects a second",
        },
      ],
    },
  ],
};

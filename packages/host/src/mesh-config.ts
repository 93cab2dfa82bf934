/** The section `mesh` of the node's configuration: whether it is one of a fleet, and how. */

import { t } from "@banyan/kernel";
import type { Static } from "@banyan/kernel";
import type { ConfigProblem } from "@banyan/kernel/internal";
import { isSource, sourceProblem } from "./registry-source.ts";

const nameOf = (description: string) =>
  t.String({
    default: "banyan",
    minLength: 1,
    maxLength: 64,
    pattern: "^[A-Za-z0-9._-]+$",
    description,
  });

const tlsSchema = t.Object(
  {
    certFile: t.String({
      minLength: 1,
      "x-file": true,
      description: "Own certificate chain, PEM.",
    }),
    keyFile: t.String({ minLength: 1, "x-file": true, description: "Its private key, PEM." }),
    caFile: t.String({
      minLength: 1,
      "x-file": true,
      description: "Authority that the certificates of all nodes are from, PEM.",
    }),
    serverName: t.Optional(
      t.String({
        minLength: 1,
        description: "Name in the certificates of the other nodes. Default: the host of each.",
      }),
    ),
    mutual: t.Boolean({
      default: true,
      description:
        "Both sides show a certificate. False: only the node that is called, and mesh.secret proves who calls.",
    }),
  },
  { description: "Encrypts the wire. The files are read again when they change." },
);

export const meshSchema = t.Object(
  {
    registry: t.Optional(
      t.String({
        minLength: 1,
        description:
          "Where nodes find each other: a state engine that all of them share, such as redis or postgres; or what is only read: file:fleet.json, dns:mesh.example:7700. Left out: this node is alone.",
      }),
    ),
    app: nameOf("Which app this node is an instance of; services are mapped to apps."),
    cluster: nameOf("Nodes of another cluster are refused."),
    secret: t.Optional(
      t.String({
        minLength: 32,
        maxLength: 1024,
        writeOnly: true,
        description:
          "What the nodes of a cluster prove to each other: at least 32 characters, the same in all of them. Needed unless there is tls.",
      }),
    ),
    acceptedSecret: t.Optional(
      t.String({
        minLength: 32,
        maxLength: 1024,
        writeOnly: true,
        description:
          "Another secret that other nodes may prove, while it is changed: this one itself proves mesh.secret.",
      }),
    ),
    host: t.String({
      default: "127.0.0.1",
      minLength: 1,
      description: "Address to listen on for other nodes. Loopback until told otherwise.",
    }),
    port: t.Integer({
      default: 0,
      minimum: 0,
      maximum: 65_535,
      description: "TCP port for other nodes; 0 takes a free one, which the registry tells.",
    }),
    advertiseHost: t.Optional(
      t.String({
        minLength: 1,
        description:
          "Where the others reach this node. Default: mesh.host; where that is all addresses, the first one of this machine.",
      }),
    ),
    advertisePort: t.Optional(
      t.Integer({
        minimum: 1,
        maximum: 65_535,
        description: "The port of it. Default: the one it listens on.",
      }),
    ),
    tls: t.Optional(tlsSchema),
    heartbeatMs: t.Integer({
      default: 1500,
      minimum: 100,
      maximum: 60_000,
      description:
        "Between two heartbeats, to the registry and to silent nodes. A node that is silent for three is gone.",
    }),
    callsMax: t.Integer({
      default: 10_000,
      minimum: 1,
      maximum: 1_000_000,
      description: "Calls that run here for one other node at once; the next is refused by name.",
    }),
    loadMax: t.Number({
      default: 0.8,
      exclusiveMinimum: 0,
      maximum: 1,
      description:
        "From this load on, of its event loop, its lag (250 ms is 1), its cores, memory or calls, the node is degraded: called only where no other is left. 0.8 is 80 %.",
    }),
    messageBytesMax: t.Integer({
      default: 16_777_216,
      minimum: 65_536,
      maximum: 1_073_741_824,
      description: "Bytes of the longest request or answer between nodes.",
    }),
    streamAhead: t.Integer({
      default: 0,
      minimum: 0,
      maximum: 65_535,
      description:
        "Frames that another node may send before they are asked for, of a stream whose contract says nothing of it. 0: its handler runs at the reader's pace.",
    }),
    inProcess: t.Boolean({
      default: true,
      description:
        "Calls what runs in this node here. False: even that goes over the wire, to see in a test what crosses.",
    }),
    mappings: t.Record(t.String(), t.String({ minLength: 1 }), {
      default: {},
      description:
        'Services by the app that runs them, where that is not banyan: { "orders": "shop" }. Put into the registry by the first node that finds none there; later changes: banyan mesh place.',
    }),
  },
  { description: "This node among others." },
);

export type MeshConfig = Static<typeof meshSchema>;

/** What is missing before a node may join. */
export function meshProblems(mesh: MeshConfig): ConfigProblem[] {
  const { registry, secret, acceptedSecret, tls, mappings } = mesh;
  if (registry === undefined) return [];
  const problems: ConfigProblem[] = [];
  if (secret === undefined && tls?.mutual !== true) {
    problems.push({
      pointer: "/mesh/secret",
      message:
        "mesh.registry makes this node one of a fleet, but nothing proves to the others that it belongs there.",
      fix: "Set BANYAN_MESH_SECRET to the same 32 characters or more in all nodes (openssl rand -hex 32), or mesh.tls of both sides.",
    });
  }
  if (acceptedSecret !== undefined && secret === undefined) {
    problems.push({
      pointer: "/mesh/acceptedSecret",
      message: "It is taken beside mesh.secret, which is not set.",
      fix: "Set mesh.secret, or leave this out.",
    });
  }
  if (!isSource(registry)) return problems;
  const problem = sourceProblem(registry);
  if (problem !== undefined) problems.push({ pointer: "/mesh/registry", ...problem });
  if (Object.keys(mappings).length > 0) {
    problems.push({
      pointer: "/mesh/mappings",
      message: `mesh.registry ${registry} is only read, so nothing can be placed in it.`,
      fix: 'Write the mapping into the file ({ "nodes": […], "mapping": … }), or use an engine as registry.',
    });
  }
  return problems;
}

/** The operator's look at the fleet, and what they may do to it. */

import type { Call, Client, ServiceParts } from "@banyan/kernel";
import { kernelErrors, nearest } from "@banyan/kernel/internal";
import { newerMapping, placeServices } from "@banyan/mesh";
import type { InstanceRecord, Mapping } from "@banyan/mesh";
import { hostErrors } from "../errors.ts";
import { nodeContract } from "../node-contract.ts";
import type { NodeFleet } from "../node-mesh.ts";
import type { NodeView } from "../node-view.ts";
import { audit } from "./state-handlers.ts";

type Handlers = ServiceParts<typeof nodeContract>["operations"]["mesh"];
type Endpoints = Awaited<ReturnType<Client<typeof nodeContract>["mesh"]["endpoints"]>>;
type Drained = Awaited<ReturnType<Client<typeof nodeContract>["mesh"]["drain"]>>;

export function meshHandlers(node: NodeView): Handlers {
  return {
    endpoints({ service, app }) {
      const { cluster } = node.setup.config.mesh;
      const { joined } = node;
      if (joined === undefined) return { fleet: false, cluster, endpoints: [] };
      const all = joined.fleet
        .instances()
        .filter((each) => service === undefined || Object.hasOwn(each.services, service))
        .filter((each) => app === undefined || each.app === app)
        .map((each) => endpointRow(each, joined));
      all.sort((a, b) => (rankOf(a) < rankOf(b) ? -1 : 1));
      return { fleet: true, cluster, endpoints: all };
    },
    mappings: () => placed(fleetOf(node).fleet.mapping()),
    async place({ apps, epoch, version }, call) {
      const { fleet, registry } = fleetOf(node);
      if (registry === undefined) throw onlyRead(node);
      if (Object.hasOwn(apps, nodeContract.name)) throw placedNode();
      const { cluster } = node.setup.config.mesh;
      const next = (present: Mapping): Mapping => {
        // A registry that was put back to an earlier day does not count anew.
        const last = newerMapping(present, fleet.mapping());
        return {
          epoch: epoch ?? last.epoch,
          version: version ?? (epoch === undefined ? last.version + 1 : 1),
          apps,
        };
      };
      const { mapping, isPlaced } = await placeServices(registry, next, cluster);
      await fleet.refresh();
      if (!isPlaced) throw olderMapping(next(mapping), mapping);
      audit(call, "services placed by an operator", { epoch: mapping.epoch, apps });
      return placed(mapping);
    },
    drain: ({ node: wanted }, call) => drain(node, wanted, call),
  };
}

function endpointRow(record: InstanceRecord, { fleet }: NodeFleet): Endpoints["endpoints"][number] {
  const { instance, node, app, host, port, status, services, issues } = record;
  const isSelf = instance === fleet.instance;
  const load = (isSelf ? fleet.load : undefined) ?? record.load;
  const known = {
    ...(issues.length === 0 ? {} : { issues: [...issues] }),
    ...(load === undefined ? {} : { load: load.load }),
    ...startOf(record),
  };
  const rows = Object.entries(services).map(([name, version]) => ({ name, version }));
  rows.sort((a, b) => (a.name < b.name ? -1 : 1));
  return { instance, node, app, host, port, status, ...known, isSelf, services: rows };
}

/** A clock may say what no date can. */
function startOf({ startedAtMs }: InstanceRecord): { readonly startedAt?: string } {
  const date = new Date(startedAtMs ?? Number.NaN);
  return Number.isNaN(date.getTime()) ? {} : { startedAt: date.toISOString() };
}

function rankOf({ app, node, instance }: Endpoints["endpoints"][number]): string {
  return `${app} ${node} ${instance}`;
}

function placed({ epoch, version, apps }: Mapping): Mapping {
  return { epoch, version, apps: { ...apps } };
}

async function drain(node: NodeView, wanted: string | undefined, call: Call): Promise<Drained> {
  const { fleet } = fleetOf(node);
  const isSelf = wanted === undefined || wanted === node.id || wanted === fleet.instance;
  if (!isSelf) {
    const { instance, node: id, status } = findInstance(fleet.instances(), wanted);
    if (status === "draining") return { node: id, instance };
    audit(call, "a node is drained by an operator", { node: wanted });
    return fleet.clientOf(nodeContract, instance, { caller: "node" }).mesh.drain({});
  }
  audit(call, "this node is drained by an operator", {});
  // Not waited for: this call itself is one of those that end first.
  const leaving = fleet.drain({ signal: node.stopping }).then(() => fleet.leave());
  leaving.catch((error: unknown) => call.log.warn("the drained node is still listed", { error }));
  // Without this one.
  const running = Math.max(0, fleet.running - 1);
  return { node: node.id, instance: fleet.instance, running };
}

function findInstance(all: readonly InstanceRecord[], wanted: string): InstanceRecord {
  const found = all.filter(({ node, instance }) => node === wanted || instance === wanted);
  const [only, another] = found;
  if (only !== undefined && another === undefined) return only;
  if (only !== undefined) {
    const runs = found.map(({ instance }) => instance).join(", ");
    throw hostErrors.NODE_UNKNOWN(
      `${found.length} nodes have the id "${wanted}"; name the run of one of them: ${runs}.`,
    );
  }
  const meant = nearest(
    wanted,
    all.map(({ node }) => node),
  );
  throw hostErrors.NODE_UNKNOWN(
    `The fleet has no node "${wanted}".${meant === undefined ? "" : ` Did you mean "${meant}"?`}`,
  );
}

/** @throws NODE_ALONE */
function fleetOf({ joined }: NodeView): NodeFleet {
  if (joined !== undefined) return joined;
  throw hostErrors.NODE_ALONE(
    "This node is alone: it has no registry. Start it with banyan up --join redis, or set mesh.registry.",
  );
}

function placedNode(): Error {
  return kernelErrors.REQUEST_INVALID(
    'Every node runs the service "node" for itself, so it cannot be placed.',
    { details: { issues: [{ pointer: "/apps/node", expected: "another service" }] } },
  );
}

function onlyRead({ setup }: NodeView): Error {
  return hostErrors.MAPPING_READ_ONLY(
    `The registry ${setup.config.mesh.registry ?? ""} is only read; services are placed by whoever writes it.`,
  );
}

function olderMapping(wanted: Mapping, inForce: Mapping): Error {
  return hostErrors.MAPPING_OUTDATED(
    `Version ${wanted.version} of "${wanted.epoch}" is not newer than what is in force, version ` +
      `${inForce.version} of "${inForce.epoch}"; look at it again, then place the services anew.`,
    { details: { epoch: inForce.epoch, version: inForce.version } },
  );
}

/** Access as people read it. */

import type { Access, AccessRule } from "@banyan/kernel";

/** `anonymous`, `internal`, `account.write on /accountId, or its owner at /ownerId`. */
export function accessText(access: Access | undefined): string {
  if (access === undefined) return "internal";
  if (typeof access === "string") return access;
  // Array.isArray does not narrow a readonly array out of a union.
  const rules = Array.isArray(access) ? (access as readonly AccessRule[]) : [access as AccessRule];
  return rules.map(ruleText).join("; or ");
}

function ruleText({ permission, resource, owner, states }: AccessRule): string {
  const parts = [
    permission ?? "authenticated",
    resource === undefined ? "" : ` on ${resource}`,
    owner === undefined ? "" : `, or the owner at ${owner}`,
    ...Object.entries(states ?? {}).map(([service, state]) => `, while ${service} is ${state}`),
  ];
  return parts.join("");
}

/** A node that listens beyond loopback must have been told how to be safe there. */

import type { ConfigProblem } from "@banyan/kernel/internal";
import type { NodeConfig } from "./node-config.ts";

/** True for an address that only this machine reaches. */
export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, "").toLowerCase();
  return bare === "localhost" || bare === "::1" || /^127(?:\.\d{1,3}){3}$/.test(bare);
}

/** What is judged here. */
export const exposurePlaces = [
  "/http/enabled",
  "/http/host",
  "/http/authentication",
  "/http/allowedHosts",
] as const;

/** What is missing before HTTP may listen where it was told to. */
export function exposureProblems(http: NodeConfig["http"] | undefined): ConfigProblem[] {
  // A section of the wrong type has no values, and was reported.
  if (http === undefined || !http.enabled || isLoopback(http.host)) return [];
  const problems: ConfigProblem[] = [];
  if (http.authentication === "off") {
    problems.push({
      pointer: "/http/authentication",
      message: `http.authentication is off while http.host is ${http.host}, which is reachable from other machines.`,
      fix: "Set http.authentication to admin-token, or http.host to 127.0.0.1.",
    });
  }
  if (http.allowedHosts.length === 0) {
    problems.push({
      pointer: "/http/allowedHosts",
      message: `http.host is ${http.host}, which is reachable from other machines, but http.allowedHosts names no host.`,
      fix: "List the names clients use in http.allowedHosts (BANYAN_HTTP_ALLOWED_HOSTS=api.example.org).",
    });
  }
  return problems;
}

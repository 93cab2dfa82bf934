/** A file of Prometheus rules, read from YAML and narrowed. */

import { parse } from "yaml";

export interface AlertRule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: ReadonlyMap<string, string>;
  readonly annotations: ReadonlyMap<string, string>;
}

export interface RuleFile {
  readonly alerts: readonly AlertRule[];
  readonly records: readonly { readonly record: string; readonly expr: string }[];
}

export function readRuleFile(text: string): RuleFile {
  const rules = listOf(fieldOf(parse(text), "groups")).flatMap((group) =>
    listOf(fieldOf(group, "rules")),
  );
  const alerts = rules.flatMap((rule) => {
    const [alert, expr] = [textOf(rule, "alert"), textOf(rule, "expr")];
    const [labels, annotations] = [textsOf(rule, "labels"), textsOf(rule, "annotations")];
    return alert === "" ? [] : [{ alert, expr, labels, annotations }];
  });
  const records = rules.flatMap((rule) => {
    const record = textOf(rule, "record");
    return record === "" ? [] : [{ record, expr: textOf(rule, "expr") }];
  });
  return { alerts, records };
}

export function fieldOf(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null) return undefined;
  return Object.entries(value).find(([key]) => key === name)?.[1];
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

export function textOf(value: unknown, name: string): string {
  const found = fieldOf(value, name);
  return typeof found === "string" ? found : "";
}

function textsOf(value: unknown, name: string): ReadonlyMap<string, string> {
  const found = fieldOf(value, name);
  const entries = typeof found === "object" && found !== null ? Object.entries(found) : [];
  return new Map(entries.map(([key, text]) => [key, String(text)]));
}

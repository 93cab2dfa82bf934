/** Every PromQL expression that this folder ships, wherever it stands. */

import { readFileSync, globSync } from "node:fs";
import { resolve } from "node:path";
import { fieldOf, listOf, readRuleFile, textOf } from "./rule-file.ts";

/** `deploy/observability`. */
export const packFolder = resolve(import.meta.dirname, "..");

export interface Expression {
  /** For messages: the dashboard and panel, or the rule. */
  readonly where: string;
  readonly expr: string;
  /** Of a panel: `{{label}}` stands for a label's value. */
  readonly legend: string;
  readonly kind: "panel" | "variable" | "annotation" | "alert" | "recording";
}

/** What Grafana puts in for the variables of a dashboard. */
export type VariableValues = Readonly<Record<string, string>>;

export function readPackFile(name: string): string {
  return readFileSync(resolve(packFolder, name), "utf8");
}

export function ruleFileNames(): string[] {
  return globSync("prometheus/rules/*.yml", { cwd: packFolder }).sort();
}

export function dashboardFileNames(): string[] {
  return globSync("grafana/dashboards/*.json", { cwd: packFolder }).sort();
}

export function ruleExpressions(): Expression[] {
  return ruleFileNames().flatMap((name) => {
    const { alerts, records } = readRuleFile(readPackFile(name));
    const legend = "";
    return [
      ...alerts.map(({ alert, expr }) => ({ where: alert, expr, legend, kind: "alert" as const })),
      ...records.map(({ record, expr }) => ({
        where: record,
        expr,
        legend,
        kind: "recording" as const, // a word of the union, not any string
      })),
    ];
  });
}

/** Read from the shipped JSON, not from its description: what is drawn is what is checked. */
export function dashboardExpressions(values: VariableValues): Expression[] {
  return dashboardFileNames().flatMap((name) => {
    const dashboard: unknown = JSON.parse(readPackFile(name));
    const title = textOf(dashboard, "title");
    const filled = (text: string): string => fillVariables(text, values);
    return [
      ...listOf(fieldOf(dashboard, "panels")).flatMap((panel) =>
        listOf(fieldOf(panel, "targets")).map((target) => ({
          where: `${title}: ${textOf(panel, "title")}`,
          expr: filled(textOf(target, "expr")),
          legend: textOf(target, "legendFormat"),
          kind: "panel" as const, // a word of the union, not any string
        })),
      ),
      ...variableExpressions(dashboard, filled, title),
    ];
  });
}

function variableExpressions(
  dashboard: unknown,
  filled: (text: string) => string,
  title: string,
): Expression[] {
  const variables = listOf(fieldOf(fieldOf(dashboard, "templating"), "list"));
  const annotations = listOf(fieldOf(fieldOf(dashboard, "annotations"), "list"));
  return [
    ...variables.flatMap((variable) => {
      const asked = /^label_values\((.*), (\w+)\)$/.exec(filled(textOf(variable, "definition")));
      if (asked === null) return [];
      const [, metric = "", label = ""] = asked;
      const where = `${title}: variable ${textOf(variable, "name")}`;
      // As a query: the values of the label are those of its groups.
      return [
        { where, expr: `group by (${label}) (${metric})`, legend: "", kind: "variable" as const },
      ];
    }),
    ...annotations.flatMap((annotation) => {
      const expr = filled(textOf(annotation, "expr"));
      const where = `${title}: annotation ${textOf(annotation, "name")}`;
      return expr === "" ? [] : [{ where, expr, legend: "", kind: "annotation" as const }];
    }),
  ];
}

/** @throws Error for a variable without a value */
export function fillVariables(text: string, values: VariableValues): string {
  return text.replace(/\$(\w+)/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`The variable $${name} has no value here.`);
    return value;
  });
}

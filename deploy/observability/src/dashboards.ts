/** Every dashboard, and the file each is written to. */

import type { DashboardSpec } from "./dashboard-spec.ts";
import { messaging } from "./messaging.ts";
import { overview } from "./overview.ts";
import { renderDashboard } from "./render-dashboard.ts";
import { service } from "./service.ts";
import { storesAndSqlite } from "./stores.ts";

export const dashboards: readonly DashboardSpec[] = [overview, service, storesAndSqlite, messaging];

/** `grafana/dashboards/banyan-overview.generated.json` */
export function dashboardFile({ uid }: DashboardSpec): string {
  return `grafana/dashboards/${uid}.generated.json`;
}

export function dashboardText(spec: DashboardSpec): string {
  return `${JSON.stringify(renderDashboard(spec), undefined, 2)}\n`;
}

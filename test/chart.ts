// Reads what the chart renders (deploy/helm/rendered), as far as its tests need it.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";

export const HELM = join(import.meta.dir, "..", "deploy", "helm");
export const EXAMPLES = ["production", "trial"] as const;

type Labels = Readonly<Record<string, string>>;

export interface Selector {
  readonly matchLabels: Labels;
  readonly matchExpressions?: readonly { readonly values: readonly string[] }[];
}

/** What a role may reach. */
interface Egress {
  readonly ports: readonly { readonly port: number | string }[];
  readonly to?: readonly { readonly podSelector?: Selector }[];
}

export interface Container {
  readonly name: string;
  readonly image: string;
  readonly args: readonly string[];
  readonly env: readonly { readonly name: string; readonly value?: string }[];
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly securityContext: object;
  readonly resources: { readonly requests: Labels; readonly limits: Labels };
  readonly startupProbe: Probe;
  readonly livenessProbe: Probe;
  readonly readinessProbe: Probe;
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
}

export interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string };
  readonly periodSeconds: number;
  readonly failureThreshold: number;
}

interface SecretSource {
  readonly secret: { readonly items: readonly { readonly path: string }[] };
}

export interface Pod {
  readonly metadata: { readonly labels: Labels };
  readonly spec: {
    readonly enableServiceLinks: boolean;
    readonly automountServiceAccountToken: boolean;
    readonly terminationGracePeriodSeconds: number;
    readonly securityContext: object;
    readonly topologySpreadConstraints: readonly { readonly labelSelector: Selector }[];
    readonly containers: readonly Container[];
    readonly volumes: readonly {
      readonly name: string;
      readonly projected?: { readonly sources: readonly SecretSource[] };
    }[];
  };
}

/** A Kubernetes object; which fields it has depends on its kind. */
export interface Item {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels: Labels };
  readonly spec: {
    readonly replicas?: number;
    readonly strategy?: { readonly type?: string };
    readonly template: Pod;
    readonly selector: Selector & Labels;
    readonly podSelector: Selector;
    readonly egress?: readonly Egress[];
    readonly maxReplicas: number;
    readonly maxReplicaCount: number;
    readonly scaleTargetRef: { readonly name: string };
    readonly triggers: readonly { readonly metadata: { readonly query: string } }[];
    readonly groups: unknown;
    readonly rules: unknown;
  };
}

export function rendered(name: string): { readonly text: string; readonly items: Item[] } {
  const text = readFileSync(join(HELM, "rendered", `${name}.yaml`), "utf8");
  return { text, items: itemsOf(text) };
}

export function itemsOf(text: string): Item[] {
  return parseAllDocuments(text).flatMap((document) => {
    const item = document.toJS() as Item | null;
    return item ? [item] : [];
  });
}

export const ofKind = (items: readonly Item[], ...kinds: readonly string[]): Item[] =>
  items.filter(({ kind }) => kinds.includes(kind));

export const workloads = (items: readonly Item[]): Item[] =>
  ofKind(items, "Deployment", "StatefulSet");

export const selects = (labels: Labels, pod: Pod): boolean =>
  Object.entries(labels).every(([name, value]) => pod.metadata.labels[name] === value);

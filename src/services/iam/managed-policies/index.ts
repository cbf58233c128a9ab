import type { PolicyRecord } from '../records.ts';
import { COMPUTE_POLICIES } from './compute-policies.ts';
import { GENERAL_POLICIES } from './general-policies.ts';
import type { ManagedPolicySource } from './source.ts';

/** AWS has changed these often; here there is one version of each, made when most of them were. */
const CREATED = Date.UTC(2015, 1, 6, 18, 39, 46);

const BY_ARN: ReadonlyMap<string, PolicyRecord> = new Map(
  [...GENERAL_POLICIES, ...COMPUTE_POLICIES].map(record).map((policy) => [policy.arn, policy]),
);

function record(source: ManagedPolicySource): PolicyRecord {
  const document = JSON.stringify({ Version: '2012-10-17', Statement: source.statements });
  return {
    name: source.name,
    path: source.path,
    id: `ANPA${idOf(source.name)}`,
    arn: `arn:aws:iam::aws:policy${source.path}${source.name}`,
    description: undefined,
    created: CREATED,
    updated: CREATED,
    tags: {},
    versions: [{ id: 'v1', document, created: CREATED }],
    defaultVersion: 'v1',
    nextVersion: 2,
  };
}

/** Always the same for the same name. */
function idOf(name: string): string {
  let value = 7n;
  for (const byte of Buffer.from(name)) value = (value * 257n + BigInt(byte)) % (1n << 85n);
  let text = '';
  for (let index = 0; index < 17; index++) {
    text += 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'[Number(value & 31n)];
    value >>= 5n;
  }
  return text;
}

/** A policy that AWS manages, by ARN. */
export function awsManagedPolicy(arn: string): PolicyRecord | undefined {
  return BY_ARN.get(arn);
}

export function awsManagedPolicies(): readonly PolicyRecord[] {
  return [...BY_ARN.values()];
}

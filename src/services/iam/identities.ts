import { parseArn } from '../../base/arn.ts';
import type { Store } from '../../store/index.ts';
import { issuerName } from './operations/oidc-providers.ts';
import { compilePolicy } from './policy/compiled-policy.ts';
import { contextOf } from './policy/context.ts';
import { evaluate } from './policy/evaluate.ts';
import type { PrincipalPolicyCache } from './principal-policies.ts';
import { entityKey, type OidcProviderRecord, oidcKey, type RoleRecord } from './records.ts';
import { defaultDocument, findPolicy } from './state.ts';

/** What STS asks of IAM; see its `Identities`. */
export class IamIdentities {
  readonly #store: Store;
  readonly #policies: PrincipalPolicyCache;

  constructor(store: Store, policies: PrincipalPolicyCache) {
    this.#store = store;
    this.#policies = policies;
  }

  async findRole(roleArn: string) {
    const arn = parseArn(roleArn);
    if (!arn) return undefined;
    const name = arn.resource.slice(arn.resource.lastIndexOf('/') + 1);
    const role = (await this.#store.get<RoleRecord>(entityKey(arn.account, 'role', name)))?.value;
    return role?.arn === roleArn ? { ...role, account: arn.account } : undefined;
  }

  async findOidcProvider(account: string, issuer: string): Promise<OidcProviderRecord | undefined> {
    const provider = (await this.#store.get<OidcProviderRecord>(oidcKey(account, issuerName(issuer))))?.value;
    // The scheme is part of who the issuer is: a token of the plain one is no token of the other.
    return provider?.url.replace(/\/$/, '') === issuer.replace(/\/$/, '') ? provider : undefined;
  }

  async managedPolicyDocument(account: string, policyArn: string): Promise<string | undefined> {
    const policy = await findPolicy(this.#store, account, policyArn);
    return policy && defaultDocument(policy);
  }

  checkPolicy(document: string): void {
    compilePolicy(document, 'identity');
  }

  trusts(
    trustPolicy: string,
    question: {
      readonly action: string;
      readonly principal: { readonly federated: string } | { readonly service: string };
      readonly conditions: Readonly<Record<string, readonly string[]>>;
    },
  ): boolean {
    const { decision } = evaluate({
      action: question.action,
      resource: '*',
      context: contextOf(question.conditions),
      principal: { account: undefined, arn: '', ...question.principal },
      isRoot: false,
      identity: [],
      resourcePolicy: { id: 'trust policy', policy: this.#policies.compiled(trustPolicy, 'trust') },
      resourceAccount: undefined,
    });
    return decision === 'allowed';
  }
}

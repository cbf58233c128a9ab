/** What STS needs to know of roles and identity providers. The IAM service implements it; `main.ts` hands it over. */
export interface Identities {
  /** A role by its ARN; `undefined` when it does not exist. */
  findRole(roleArn: string): Promise<RoleIdentity | undefined>;
  /** The OpenID Connect provider that an account trusts for this issuer (`iss` of a token). */
  findOidcProvider(account: string, issuer: string): Promise<OidcProvider | undefined>;
  /** The default version of a managed policy; `undefined` when it does not exist. */
  managedPolicyDocument(account: string, policyArn: string): Promise<string | undefined>;
  /** Throws `MalformedPolicyDocument` when the text is not a valid identity policy. */
  checkPolicy(document: string): void;
  /** Asks a role's trust policy whether someone may assume it. */
  trusts(trustPolicy: string, question: TrustQuestion): boolean;
}

export interface RoleIdentity {
  readonly arn: string;
  /** `AROA…` */
  readonly id: string;
  readonly name: string;
  readonly account: string;
  /** JSON. */
  readonly trustPolicy: string;
  /** Seconds. */
  readonly maxSessionDuration: number;
}

export interface OidcProvider {
  readonly arn: string;
  readonly url: string;
  readonly clientIds: readonly string[];
}

export interface TrustQuestion {
  readonly action: 'sts:AssumeRole' | 'sts:AssumeRoleWithWebIdentity' | 'sts:TagSession';
  readonly principal: { readonly federated: string } | { readonly service: string };
  /** Condition keys with their values. */
  readonly conditions: Readonly<Record<string, readonly string[]>>;
}

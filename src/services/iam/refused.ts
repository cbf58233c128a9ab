/** Operations that are refused, with what to do instead. */
const REASONS: readonly (readonly [reason: string, operations: string])[] = [
  [
    'Delegated access is not supported; use roles.',
    `AcceptDelegationRequest AcquireRole AssociateDelegationRequest CreateDelegationRequest
     GetDelegationRequest GetHumanReadableSummary GetRoleTemplateVersion ListDelegationRequests
     RejectDelegationRequest SendDelegationToken UpdateDelegationRequest`,
  ],
  [
    'There is no console sign-in, so users have no passwords; use access keys.',
    `ChangePassword CreateLoginProfile DeleteAccountPasswordPolicy DeleteLoginProfile
     GetAccountPasswordPolicy UpdateAccountPasswordPolicy UpdateLoginProfile`,
  ],
  [
    'SAML federation is not supported; use an OpenID Connect provider.',
    `CreateSAMLProvider DeleteSAMLProvider GetSAMLProvider ListSAMLProviderTags TagSAMLProvider
     UntagSAMLProvider UpdateSAMLProvider`,
  ],
  [
    'There is no service that would take such credentials; use access keys.',
    `CreateServiceSpecificCredential DeleteServiceSpecificCredential ResetServiceSpecificCredential
     UpdateServiceSpecificCredential`,
  ],
  [
    'Multi-factor authentication is not supported.',
    `CreateVirtualMFADevice DeactivateMFADevice DeleteVirtualMFADevice EnableMFADevice GetMFADevice
     ListMFADeviceTags ResyncMFADevice TagMFADevice UntagMFADevice`,
  ],
  [
    'Certificates and SSH keys are not kept in IAM here.',
    `DeleteSSHPublicKey DeleteServerCertificate DeleteSigningCertificate GetSSHPublicKey
     GetServerCertificate ListServerCertificateTags TagServerCertificate UntagServerCertificate
     UpdateSSHPublicKey UpdateServerCertificate UpdateSigningCertificate UploadSSHPublicKey
     UploadServerCertificate UploadSigningCertificate`,
  ],
  [
    'There is no organization of accounts.',
    `DisableOrganizationsRootCredentialsManagement DisableOrganizationsRootSessions
     EnableOrganizationsRootCredentialsManagement EnableOrganizationsRootSessions
     GenerateOrganizationsAccessReport GetOrganizationsAccessReport ListOrganizationsFeatures`,
  ],
  [
    'Outbound web identity federation is not supported.',
    `DisableOutboundWebIdentityFederation EnableOutboundWebIdentityFederation
     GetOutboundWebIdentityFederationInfo`,
  ],
  [
    'Reports are not made; see GetAccessKeyLastUsed and the RoleLastUsed of GetRole.',
    `GenerateCredentialReport GenerateServiceLastAccessedDetails GetCredentialReport
     GetServiceLastAccessedDetails GetServiceLastAccessedDetailsWithEntities
     ListPoliciesGrantingServiceAccess`,
  ],
  ['Accounts have no properties here.', `GetAccountProperties PutAccountProperties`],
  [
    'Read the condition keys from the policy documents.',
    `GetContextKeysForCustomPolicy GetContextKeysForPrincipalPolicy`,
  ],
  ['Session tokens are the same in every region.', `SetSecurityTokenServicePreferences`],
];

export const REFUSED: Readonly<Record<string, string>> = Object.fromEntries(
  REASONS.flatMap(([reason, operations]) => operations.split(/\s+/).map((operation) => [operation, reason])),
);

export type { Authorizer, Credential, CredentialLookup } from './authorization.ts';
export type { AuthorizationRequest, AwsService, Operation, Principal, RequestBody, RequestContext } from './service.ts';

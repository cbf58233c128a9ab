export type { Authorizer, Credential, CredentialLookup } from './authorization.ts';
export type {
  AuthorizationRequest,
  AwsService,
  Operation,
  PreflightAnswer,
  PreflightRequest,
  Principal,
  RequestBody,
  RequestContext,
} from './service.ts';

export type {
  Authorizer,
  Credential,
  CredentialLookup,
  ServiceAccess,
  ServiceCaller,
  ServiceQuestion,
} from './authorization.ts';
export type { EncryptedValue, Encryption, KeyUser } from './encryption.ts';
export type { FunctionInvoker, InvokedFunction } from './function-invoker.ts';
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
export { SigningSecret } from './signing-secret.ts';

import './schema-modules.ts';
import type { ServiceModel } from '../schema/model.ts';

export const snsModel: ServiceModel = {
  name: 'sns',
  protocols: ['query'],
  version: '2010-03-31',
  xmlNamespace: 'http://sns.amazonaws.com/doc/2010-03-31/',
  accessDenied: 'AuthorizationError',
  anonymous: ['ConfirmSubscription', 'Unsubscribe'],
  schemas: () => import('@aws-sdk/client-sns/dist-es/schemas/schemas_0.js'),
};

import './schema-modules.ts';
import type { ServiceModel } from '../schema/model.ts';

export const iamModel: ServiceModel = {
  name: 'iam',
  protocols: ['query'],
  version: '2010-05-08',
  xmlNamespace: 'https://iam.amazonaws.com/doc/2010-05-08/',
  schemas: () => import('@aws-sdk/client-iam/dist-es/schemas/schemas_0.js'),
};

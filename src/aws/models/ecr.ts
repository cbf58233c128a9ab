import './schema-modules.ts';
import type { ServiceModel } from '../schema/model.ts';

export const ecrModel: ServiceModel = {
  name: 'ecr',
  protocols: ['awsJson1_1'],
  version: '2015-09-21',
  target: 'AmazonEC2ContainerRegistry_V20150921',
  // A part of a layer has up to 20 MiB, which are 27 in Base64.
  maxBodySize: 32 * 1024 * 1024,
  schemas: () => import('@aws-sdk/client-ecr/dist-es/schemas/schemas_0.js'),
};

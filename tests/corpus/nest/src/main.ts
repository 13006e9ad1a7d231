import 'reflect-metadata';
import { ValidationPipe, VersioningType } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Transport } from '@nestjs/microservices';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import { AppModule } from './app.module';

async function start() {
  const app = await NestFactory.create(AppModule, { logger: ['error', 'warn'] });
  app.useGlobalPipes(new ValidationPipe({ transform: true, whitelist: true }));
  app.enableVersioning({ type: VersioningType.HEADER, header: 'x-version' });
  app.enableShutdownHooks();
  const description = SwaggerModule.createDocument(app, new DocumentBuilder().setTitle('Cats').build());
  SwaggerModule.setup('docs', app, description);
  app.connectMicroservice({ transport: Transport.TCP, options: { host: '0.0.0.0', port: 3001 } });
  await app.startAllMicroservices();
  await app.listen(3000);
}
start();

import { Controller, Get, Module, NotImplementedException } from '@nestjs/common';
import { LazyModuleLoader } from '@nestjs/core';
import { ConfigModule } from '@nestjs/config';
import { EventEmitterModule } from '@nestjs/event-emitter';
import { ScheduleModule } from '@nestjs/schedule';
import { CatsModule } from './cats/cats.module';

@Controller()
class AppController {
  constructor(private readonly loader: LazyModuleLoader) {}

  @Get()
  index() {
    return { cats: '/cats' };
  }

  @Get('lazy')
  async lazy() {
    const { JobsModule } = await import('./jobs/jobs.module');
    const { JobsService } = await import('./jobs/jobs.service');
    const module = await this.loader.load(() => JobsModule);
    return module.get(JobsService).run();
  }

  @Get('later')
  later() {
    throw new NotImplementedException();
  }
}

@Module({
  imports: [ConfigModule.forRoot(), EventEmitterModule.forRoot(), ScheduleModule.forRoot(), CatsModule],
  controllers: [AppController],
})
export class AppModule {}

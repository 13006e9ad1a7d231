import { Body, Controller, Get, Header, Headers, HttpCode, Injectable, Module, NotFoundException, Param, ParseIntPipe, ParseUUIDPipe, Post, Query, Sse, StreamableFile, UploadedFile, UseGuards, UseInterceptors, Version, CanActivate, ExecutionContext, ParseFilePipeBuilder } from '@nestjs/common';
import { EventEmitter2, OnEvent } from '@nestjs/event-emitter';
import { MessagePattern } from '@nestjs/microservices';
import { FileInterceptor } from '@nestjs/platform-express';
import { Interval } from '@nestjs/schedule';
import { interval, map, take } from 'rxjs';
import { CatDto } from './cat.dto';

@Injectable()
class CatsService {
  readonly cats: CatDto[] = [];
  heard = 0;
  ticks = 0;

  @OnEvent('cat.added')
  hear() {
    this.heard += 1;
  }

  @Interval(50)
  tick() {
    this.ticks += 1;
  }
}

@Injectable()
class TokenGuard implements CanActivate {
  canActivate(context: ExecutionContext) {
    return context.switchToHttp().getRequest().headers.authorization === 'Bearer open';
  }
}

@Controller('cats')
class CatsController {
  constructor(private readonly service: CatsService, private readonly events: EventEmitter2) {}

  @Get()
  all() {
    return this.service.cats;
  }

  @Post()
  add(@Body() cat: CatDto) {
    this.service.cats.push(cat);
    this.events.emit('cat.added', cat);
    return cat;
  }

  @Get('number/:n')
  one(@Param('n', ParseIntPipe) n: number) {
    if (!this.service.cats[n]) throw new NotFoundException(`no cat ${n}`);
    return this.service.cats[n];
  }

  @Get('id/:id')
  id(@Param('id', new ParseUUIDPipe()) id: string) {
    return id;
  }

  @Get('state')
  async state() {
    while (this.service.ticks === 0) await new Promise((done) => setTimeout(done, 20));
    return { heard: this.service.heard, ticking: true };
  }

  @Get('private')
  @UseGuards(TokenGuard)
  secret() {
    return 'private';
  }

  @Get('version')
  @Version('2')
  second() {
    return 'two';
  }

  @Sse('events')
  watch() {
    return interval(10).pipe(take(3), map((n) => ({ data: { n } })));
  }

  @Post('upload')
  @HttpCode(200)
  @UseInterceptors(FileInterceptor('file'))
  upload(@UploadedFile(new ParseFilePipeBuilder().addMaxSizeValidator({ maxSize: 1000 }).build({ fileIsRequired: true })) file: Express.Multer.File) {
    return { name: file.originalname, size: file.size };
  }

  @Get('sheet')
  async sheet() {
    const { Workbook } = await import('exceljs');
    const book = new Workbook();
    book.addWorksheet('cats').addRow(['Tom', 3]);
    const again = await new Workbook().xlsx.load(await book.xlsx.writeBuffer());
    return again.worksheets[0].getRow(1).values;
  }

  @Get('file')
  @Header('Content-Type', 'text/plain')
  file() {
    return new StreamableFile(Buffer.from('streamed'));
  }

  @MessagePattern('sum')
  sum(values: number[]) {
    return values.reduce((a, b) => a + b, 0);
  }
}

@Module({ controllers: [CatsController], providers: [CatsService] })
export class CatsModule {}

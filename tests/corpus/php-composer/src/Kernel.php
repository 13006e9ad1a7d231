<?php

namespace App;

use App\Listener\LocaleListener;
use Symfony\Component\Config\FileLocator;
use Symfony\Component\EventDispatcher\EventDispatcher;
use Symfony\Component\HttpFoundation\Request;
use Symfony\Component\HttpFoundation\RequestStack;
use Symfony\Component\HttpFoundation\Response;
use Symfony\Component\HttpKernel\Controller\ArgumentResolver;
use Symfony\Component\HttpKernel\EventListener\ErrorListener;
use Symfony\Component\HttpKernel\EventListener\RouterListener;
use Symfony\Component\HttpKernel\HttpKernel;
use Symfony\Component\Routing\Loader\YamlFileLoader;
use Symfony\Component\Routing\Router;

final class Kernel
{
    private Services $services;
    private HttpKernel $kernel;

    public function __construct()
    {
        $stack = new RequestStack();
        $router = new Router(new YamlFileLoader(new FileLocator(root('config'))), 'routes.yaml', ['cache_dir' => '/tmp/routes']);
        $this->services = new Services($router);
        $dispatcher = new EventDispatcher();
        $dispatcher->addSubscriber(new RouterListener($router, $stack));
        $dispatcher->addSubscriber(new LocaleListener($this->services));
        $dispatcher->addSubscriber(new ErrorListener([Controller\ErrorController::class, 'show'], $this->services->logger()));
        $this->kernel = new HttpKernel($dispatcher, new ControllerFactory($this->services), $stack, new ArgumentResolver());
    }

    public function handle(Request $request): Response
    {
        return $this->kernel->handle($request);
    }
}

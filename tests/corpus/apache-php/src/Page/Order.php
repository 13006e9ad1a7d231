<?php
namespace Shop\Page;

final class Order
{
    public function __invoke(string ...$arguments): void
    {
        $words = require __DIR__ . '/../lang/' . (in_array($_GET['lang'] ?? '', ['de', 'en']) ? $_GET['lang'] : 'en') . '.php';
        $order = json_decode(file_get_contents('php://input'), flags: JSON_THROW_ON_ERROR);
        $id = (new \Shop\Store())->add($order->item, (int) $order->count);
        http_response_code(201);
        header('Content-Type: application/json');
        echo json_encode(['id' => $id, 'message' => $words['thanks']]);
    }
}

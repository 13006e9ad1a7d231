"""A gRPC server without generated code: one service, its health, and reflection."""

from concurrent import futures

import grpc


def field(number, content):
    return bytes([number << 3 | 2, len(content)]) + content


SERVICE = field(1, b"Orders") + field(2, field(1, b"ListOrders")) + field(2, field(1, b"DeleteOrder"))
FILE = field(1, b"shop.proto") + field(2, b"shop") + field(6, SERVICE)


def reflect(requests, context):
    for request in requests:
        lists = request.startswith(b"\x3a")
        yield field(6, field(1, field(1, b"shop.Orders"))) if lists else field(4, field(1, FILE))


def orders(request, context):
    # Read by this method alone.
    with open("/srv/orders") as file:
        return file.read().encode()


def delete(request, context):
    context.abort(grpc.StatusCode.INTERNAL, "called")


server = grpc.server(futures.ThreadPoolExecutor(4))
unary = grpc.unary_unary_rpc_method_handler
server.add_generic_rpc_handlers((
    grpc.method_handlers_generic_handler("shop.Orders", {"ListOrders": unary(orders), "DeleteOrder": unary(delete)}),
    grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": unary(lambda request, context: b"\x08\x01")}),
    grpc.method_handlers_generic_handler(
        "grpc.reflection.v1alpha.ServerReflection",
        {"ServerReflectionInfo": grpc.stream_stream_rpc_method_handler(reflect)},
    ),
))
server.add_insecure_port("0.0.0.0:50051")
server.start()
server.wait_for_termination()

package org.example.parcel.task;

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.List;

/** Asks the running service, for health checks. */
public final class PingTask implements Task {
    @Override
    public int run(List<String> arguments) throws Exception {
        String path = arguments.isEmpty() ? "/status" : arguments.get(0);
        HttpRequest request = HttpRequest.newBuilder(URI.create("http://localhost:8080" + path)).timeout(Duration.ofSeconds(20)).build();
        HttpResponse<String> answer = HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString());
        System.out.print(answer.statusCode() + " " + answer.body());
        return answer.statusCode() == 200 ? 0 : 1;
    }
}

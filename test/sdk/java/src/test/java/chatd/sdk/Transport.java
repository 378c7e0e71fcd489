package chatd.sdk;

import com.azure.core.http.HttpClient;
import com.azure.core.http.netty.NettyAsyncHttpClientBuilder;
import com.azure.core.http.okhttp.OkHttpAsyncHttpClientBuilder;

/** The HTTP clients that the SDK can be used with: each test runs over both. */
enum Transport {
    NETTY(new NettyAsyncHttpClientBuilder().build()),
    OKHTTP(new OkHttpAsyncHttpClientBuilder().build());

    final HttpClient client;

    Transport(HttpClient client) {
        this.client = client;
    }
}
